// One replay of a recorded forward pass that stops at its taps, so that tensors can be read and replaced there.

import type { ModelConfig } from "../../loaders/index.ts";
import type { CacheStore } from "../cache/store.ts";
import type { Device, Read, Tensor, Write } from "../devices/device.ts";
import type { Activations } from "./activations.ts";
import { rowsOf, type Part } from "./part.ts";
import type { Prepared } from "./recordings.ts";
import { wholeRead, type StepInputs } from "./step-inputs.ts";
import type { Recording } from "./recording.ts";

/** A call of a forward pass. */
export interface KernelCall {
  /** the kernel's name */
  readonly kernel: string;
  /** where in the model: `blocks.3.mlp.down` */
  readonly label: string;
  /** the device's implementations of the call, the one for the fewest rows first */
  readonly implementations: readonly string[];
}

/** What a pass is made of. */
export interface PassParts {
  readonly device: Device;
  readonly activations: Activations;
  readonly prepared: Prepared;
  readonly inputs: StepInputs;
  readonly signal: AbortSignal | undefined;
  readonly config: ModelConfig;
  /** the store of the parts' keys */
  readonly store: CacheStore;
  /** the tokens that the pass appends, in the order of its rows */
  readonly parts: readonly Part[];
}

/** A running pass. It is valid only during `Steps.pass`. */
export class Pass {
  readonly recording: Recording;
  /** rows of the pass */
  readonly rows: number;
  /** keys of the pass: columns of its patterns */
  readonly columns: number;
  readonly activations: Activations;
  readonly #parts: PassParts;
  readonly #device: Device;
  readonly #prepared: Prepared;
  readonly #signal: AbortSignal | undefined;
  #variables: Readonly<Record<string, number>>;
  #writes: Write[];
  /** calls that have been replayed */
  #cursor = 0;

  /** From what `Steps.pass` gives its task. */
  constructor(parts: PassParts) {
    const { device, activations, prepared, inputs, signal } = parts;
    this.#parts = parts;
    this.recording = prepared.recording;
    this.rows = inputs.rows;
    this.columns = inputs.columns;
    this.activations = activations;
    this.#device = device;
    this.#prepared = prepared;
    this.#signal = signal;
    this.#variables = inputs.variables;
    this.#writes = [...inputs.writes];
  }

  /** Makes the pending writes, replays the calls up to `end`, and reads. Throws the signal's reason on an abort. */
  async runTo(end: number, reads: readonly Read[] = []): Promise<readonly (Float32Array | Uint32Array)[]> {
    this.#signal?.throwIfAborted();
    const begin = this.#cursor;
    const writes = this.#writes;
    this.#writes = [];
    this.#cursor = end;
    return this.#device.run(this.#prepared.executable, { variables: this.#variables, writes, reads, begin, end });
  }

  /** The calls up to the last one before `end` that writes a tensor, in order. */
  callsTo(tensor: Tensor, end: number): readonly KernelCall[] {
    const { program, chosen } = this.#prepared.executable;
    const before = program.calls.slice(0, end);
    const writer = before.findLastIndex(({ kernel, buffers }) =>
      Object.entries(kernel.buffers).some(([name, use]) => use.includes("write") && buffers[name] === tensor),
    );
    return before
      .slice(0, writer + 1)
      .map(({ kernel, label }, at) => ({ kernel: kernel.name, label, implementations: chosen[at]! }));
  }

  /** Adds a write that is made before the next calls. */
  write(write: Write): void {
    this.#writes.push(write);
  }

  /** Returns to the end of the body: the calls behind it are replayed next, for these rows of the pass. */
  selectOutputs(rows: readonly number[]): void {
    this.activations.reserve({ rows: 0, outputs: rows.length, choices: 0, patternCells: 0 });
    this.#cursor = this.recording.body;
    this.#variables = { ...this.#variables, outputs: rows.length };
    this.write({ tensor: this.activations.ports.outputRows, data: Uint32Array.from(rows) });
  }

  /** Lets the policies of the parts drop keys, as after a step. The body must have run. Throws what they throw. */
  async letPoliciesAct(): Promise<void> {
    const { parts, store, config } = this.#parts;
    const { attentionLayers, wantsKeyNorms } = parts[0]!.sequence.keeping;
    const { applyPolicy } = await import("../cache/eviction.ts");
    const count = rowsOf(parts);
    const read = async (tensor: Tensor, length: number) =>
      (await this.#device.read(wholeRead(tensor, length))) as Float32Array;
    const attention = new Map<number, Float32Array>();
    const keyNorms = new Map<number, Float32Array>();
    for (const layer of attentionLayers) {
      attention.set(layer, await read(this.activations.attentionSums(layer), count * this.columns));
    }
    const normLayers = wantsKeyNorms ? config.layers : 0;
    for (let layer = 0; layer < normLayers; layer++) {
      keyNorms.set(layer, await read(this.activations.keyNorms(layer), count));
    }
    let begin = 0;
    for (const { sequence, tokens } of parts) {
      const rows = { sequence, begin, end: begin + tokens.length };
      begin = rows.end;
      applyPolicy(store, rows, { attention, keyNorms, columns: this.columns }, config);
    }
    store.countStep(parts.map(({ sequence }) => sequence.stored));
  }
}

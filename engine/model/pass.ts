// One replay of a recorded forward pass that stops at its taps, so that tensors can be read and replaced there.

import type { Device, Read, Write } from "../devices/device.ts";
import type { Activations } from "./activations.ts";
import type { Prepared } from "./recordings.ts";
import type { StepInputs } from "./step-inputs.ts";
import type { Recording } from "./recording.ts";

/** A running pass. It is valid only during `Steps.pass`. */
export class Pass {
  readonly recording: Recording;
  /** rows of the pass */
  readonly rows: number;
  /** keys of the pass: columns of its patterns */
  readonly columns: number;
  readonly activations: Activations;
  readonly #device: Device;
  readonly #prepared: Prepared;
  readonly #signal: AbortSignal | undefined;
  #variables: Readonly<Record<string, number>>;
  #writes: Write[];
  /** calls that have been replayed */
  #cursor = 0;

  /** Use `Steps.pass`. */
  constructor(
    device: Device,
    activations: Activations,
    prepared: Prepared,
    inputs: StepInputs & { readonly signal: AbortSignal | undefined },
  ) {
    this.recording = prepared.recording;
    this.rows = inputs.rows;
    this.columns = inputs.columns;
    this.activations = activations;
    this.#device = device;
    this.#prepared = prepared;
    this.#signal = inputs.signal;
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

  /** Adds a write that is made before the next calls. */
  write(write: Write): void {
    this.#writes.push(write);
  }

  /** Returns to the end of the body: the calls behind it are replayed next, for rows begin .. begin + count. */
  selectOutputs(begin: number, count: number): void {
    this.activations.reserve({ rows: 0, outputs: count, patternCells: 0 });
    this.#cursor = this.recording.body;
    this.#variables = { ...this.#variables, outputs: count };
    this.write({
      tensor: this.activations.ports.outputRows,
      data: Uint32Array.from({ length: count }, (_, i) => begin + i),
    });
  }
}

// Stops a pass at its taps: hands each text's part of a tensor to hooks and captures, and writes back what hooks changed.

import type { CachedSequence } from "../cache/sequence.ts";
import { CapturedTensor, JoinedTensor, putBack, rowLength, takeOut, type TapRows } from "./captured.ts";
import { applyEdit, derive, type DerivedParts } from "./derived-taps.ts";
import type { KernelCall, Pass } from "./pass.ts";
import { wholeRead } from "./step-inputs.ts";
import { layerOfTap, RESIDUAL_IN, RESIDUAL_OUT, type Tap } from "./taps.ts";
import type { Turns } from "./turns.ts";

/** The tensor that a hook receives. The hook may change `data` in place, or return new numbers of the same count. */
export interface HookedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** position of its first row: a text comes in pieces behind a prompt whose keys a policy chose, and a long one at the final norm */
  readonly begin: number;
  /** which of the prompts it is of; 0 except in a batch */
  readonly promptIndex: number;
}
/** Reads or replaces a tensor during the forward pass. It cannot call its own model, which waits for it: such a call is refused. */
export type Hook = (tensor: HookedTensor) => Float32Array | void | Promise<Float32Array | void>;

/** Which logits are wanted of a pass. */
export type WantedLogits = "all" | "last" | "none";

/** What a pass is inspected for. */
export interface Inspection extends DerivedParts {
  wants(name: string): boolean;
  hooksOf(name: string): readonly Hook[];
  /** rows whose logits are computed at a time */
  readonly chunkRows: number;
  readonly turns: Turns;
}

/** What passes have found of one text. */
export class InspectedText {
  readonly tokens: readonly number[];
  readonly promptIndex: number;
  readonly captured = new Map<string, JoinedTensor>();
  readonly calls: Record<string, readonly KernelCall[]> = {};
  /** where the first pass begins between layers: the residual [tokens, dim] */
  readonly given: Float32Array | undefined;
  /** [tokens, vocabSize], or [1, vocabSize] for the last row's; null where none are wanted */
  readonly logits: Float32Array | null;
  #filled = 0;

  constructor(
    tokens: readonly number[],
    promptIndex: number,
    logits: Float32Array | null,
    given: Float32Array | undefined,
  ) {
    this.tokens = tokens;
    this.promptIndex = promptIndex;
    this.logits = logits;
    this.given = given;
  }

  /** Adds the logits of its next row. */
  addLogits(row: Float32Array): void {
    this.logits!.set(row, this.#filled);
    this.#filled += row.length;
  }
}

/** The rows begin..end of a pass that belong to a text. */
export interface InspectedRows {
  readonly text: InspectedText;
  readonly sequence: CachedSequence;
  readonly begin: number;
  readonly end: number;
  /** position of the first of them */
  readonly first: number;
}

/** A tap that is computed on the host, between the tensor that it is computed from and the one that an edit changes. */
interface Held {
  readonly was: CapturedTensor;
  readonly is: CapturedTensor;
}

/** Inspects one pass. */
export class Inspector {
  readonly #pass: Pass;
  readonly #inspection: Inspection;
  readonly #rows: readonly InspectedRows[];
  readonly #held = new Map<string, Held>();

  constructor(pass: Pass, inspection: Inspection, rows: readonly InspectedRows[]) {
    this.#pass = pass;
    this.#inspection = inspection;
    this.#rows = rows;
  }

  /** Runs the pass to its end; what it finds is in the texts. */
  async run(logits: WantedLogits): Promise<void> {
    const { recording } = this.#pass;
    const final = recording.taps.filter(({ after }) => after > recording.body);
    for (const tap of recording.taps) {
      if (tap.after <= recording.body && !final.includes(tap)) await this.#stopAt(tap, this.#pass.rows, this.#rows);
    }
    await this.#pass.runTo(recording.body);
    if (logits === "none" && final.length === 0) return;
    // Taps behind the body have all rows, even if the logits of the last row alone are wanted.
    const wanted = this.#rows.flatMap(({ begin, end }) =>
      final.length > 0 || logits === "all" ? Array.from({ length: end - begin }, (_, row) => begin + row) : [end - 1],
    );
    const { chunkRows } = this.#inspection;
    for (let first = 0; first < wanted.length; first += chunkRows) {
      await this.#outputs(wanted.slice(first, first + chunkRows), final, logits);
    }
  }

  /** Computes what lies behind the body for some rows of the pass, in order. */
  async #outputs(rows: readonly number[], taps: readonly Tap[], logits: WantedLogits): Promise<void> {
    this.#pass.selectOutputs(rows);
    const [first, last] = [rows[0]!, rows.at(-1)!];
    const own = this.#rows.filter(({ begin, end }) => begin <= last && end > first);
    const within = own.map((of) => ({
      ...of,
      begin: Math.max(of.begin, first) - first,
      end: Math.min(of.end, last + 1) - first,
      first: of.first + Math.max(0, first - of.begin),
    }));
    for (const tap of taps) await this.#stopAt(tap, rows.length, within);
    if (logits === "none") return;
    const { vocabSize } = this.#inspection.config;
    const tensor = this.#pass.activations.outputs("logits", vocabSize);
    const [read] = await this.#pass.runTo(this.#pass.recording.logits, [wholeRead(tensor, rows.length * vocabSize)]);
    for (const [i, row] of rows.entries()) {
      const { text, end } = own.find((of) => row >= of.begin && row < of.end)!;
      if (logits === "last" && row !== end - 1) continue;
      text.addLogits((read as Float32Array).subarray(i * vocabSize, (i + 1) * vocabSize));
    }
  }

  /** Replays up to a tap, passes each text's part of its tensor on, and writes the tensor back if it was changed. */
  async #stopAt(tap: Tap, count: number, rows: readonly InspectedRows[]): Promise<void> {
    const { columns } = this.#pass;
    const read = wholeRead(tap.tensor, count * rowLength(tap, columns));
    const isGiven = tap.name === RESIDUAL_IN;
    const [numbers] = isGiven ? [new Float32Array(read.end)] : await this.#pass.runTo(tap.after, [read]);
    const whole = numbers as Float32Array;
    let isChanged = isGiven;
    for (const own of rows) {
      const place = this.#place(tap, own);
      if (isGiven) {
        putBack(tap, whole, place, own.text.given!);
        continue;
      }
      const tensor = takeOut(tap, whole, place);
      if (!(await this.#show(tap, tensor, own))) continue;
      putBack(tap, whole, place, tensor.data);
      isChanged = true;
    }
    if (isChanged) this.#pass.write({ tensor: tap.tensor, data: whole });
  }

  #place(tap: Tap, { begin, end, sequence }: InspectedRows): TapRows {
    const { lists, length } = sequence.stored;
    const keys = tap.isPattern ? lists[sequence.keeping.isPerLayer ? layerOfTap(tap.name) : 0]!.positions() : [];
    return { begin, end, columns: this.#pass.columns, keys, width: length };
  }

  /** Shows a text's part of a tensor to hooks and keeps it for its capture; true if the part is to be written back. */
  async #show(tap: Tap, tensor: CapturedTensor, own: InspectedRows): Promise<boolean> {
    const { name, derived } = tap;
    if (!derived) {
      const isHooked = await this.#callHooks(name, tensor, own);
      this.#capture(tap, tensor, own);
      return isHooked;
    }
    const key = `${own.text.promptIndex}.${name}`;
    if (!tap.isEdit) {
      const was = derive(derived, tensor, layerOfTap(name), this.#inspection);
      const is = new CapturedTensor(was.shape, was.data.slice());
      if (await this.#callHooks(name, is, own)) this.#held.set(key, { was, is });
      this.#capture(tap, is, own);
      return false;
    }
    const { was, is } = this.#held.get(key)!;
    applyEdit(derived, tensor, was, is);
    this.#held.delete(key);
    return true;
  }

  /** True if there are hooks; the tensor is then what they leave. */
  async #callHooks(name: string, { shape, data }: CapturedTensor, { text, first: begin }: InspectedRows) {
    const hooks = this.#inspection.hooksOf(name);
    const { promptIndex } = text;
    for (const hook of hooks) {
      const replaced = await this.#inspection.turns.call(`the hook on ${name}`, () =>
        hook({ name, shape, data, begin, promptIndex }),
      );
      if (!replaced) continue;
      if (replaced.length !== data.length) {
        throw new RangeError(
          `the hook on ${name} returned ${replaced.length} numbers; the tensor [${shape.join(",")}] has ${data.length}`,
        );
      }
      data.set(replaced);
    }
    return hooks.length > 0;
  }

  #capture(tap: Tap, tensor: CapturedTensor, { text }: InspectedRows): void {
    const { name, isPattern, isDouble } = tap;
    if (name !== RESIDUAL_OUT && !this.#inspection.wants(name)) return;
    text.calls[name] ??= this.#pass.callsTo(tap.tensor, tap.after);
    const joined = text.captured.get(name) ?? new JoinedTensor(text.tokens.length, isPattern);
    text.captured.set(name, joined);
    joined.add(tensor, isDouble, name.endsWith("scores") ? -Infinity : 0);
  }
}

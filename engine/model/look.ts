// Looking inside: one forward pass over a whole sequence in which named tensors are captured, or replaced by hooks.
// The open recording is replayed from tap to tap; nothing of this touches the fused one.

import type { CachePolicy } from "../cache/policies/index.ts";
import type { Read } from "../devices/device.ts";
import type { Engine, Prepared, StepInputs } from "./engine.ts";
import { tapMatcher, tapNames, type CapturedTensor, type Tap } from "./taps.ts";

/** What a hook is given: it may change `data` in place, or return other numbers of the same count. */
export interface HookedTensor extends CapturedTensor {
  readonly name: string;
}
/** Reads or replaces a tensor on its way. */
export type Hook = (tensor: HookedTensor) => Float32Array | void | Promise<Float32Array | void>;

export interface LookOptions {
  /** names of taps; `*` stands for one part: `blocks.*.attn.hook_pattern` */
  readonly capture?: readonly string[];
  /** by the same kind of names */
  readonly hooks?: Readonly<Record<string, Hook>>;
  /** which rows' logits to return: of every token (the default), of the last, or none */
  readonly logits?: "all" | "last" | "none";
  /** the policy by whose rule keys are visible; what it would drop by statistics stays */
  readonly cache?: CachePolicy;
  readonly signal?: AbortSignal;
}

export interface LookResult {
  /** [tokens, vocabSize], or [1, vocabSize] for "last"; null for "none" */
  readonly logits: CapturedTensor | null;
  /** residuals [tokens, dim]; q, k, v, z [tokens, heads, headDim]; scores and patterns [heads, tokens, keys] */
  readonly captured: Readonly<Record<string, CapturedTensor>>;
}

/** The policy's rule alone. */
function ruleOf({ name, rule, isAnchor }: CachePolicy): CachePolicy {
  return { name, ...(rule && { rule }), ...(isAnchor && { isAnchor }) };
}

/** Open recordings kept ready. */
const KEPT = 4;

/** Runs forward passes with taps on one engine. */
export class Looker {
  readonly #engine: Engine;
  readonly #prepared = new Map<string, Promise<Prepared>>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * One pass over `tokens` as a sequence of its own. Throws a RangeError for a tap that does not exist, and for hooks that
   * return another count of numbers.
   */
  async forward(tokens: readonly number[], options: LookOptions = {}): Promise<LookResult> {
    const engine = this.#engine;
    const { signal } = options;
    const names = tapNames(engine.config.layers);
    const wants = tapMatcher(options.capture ?? [], names);
    const hooks = Object.entries(options.hooks ?? {}).map(([pattern, hook]) => ({
      matches: tapMatcher([pattern], names),
      hook,
    }));
    const hooksOf = (name: string) => hooks.filter(({ matches }) => matches(name)).map(({ hook }) => hook);
    const isOpen = hooks.length > 0 || (options.capture?.length ?? 0) > 0;
    const prepared = isOpen
      ? await this.#open(names, wants, (name) => hooksOf(name).length > 0, signal)
      : await engine.forward();
    if (tokens.length === 0) throw new RangeError("a forward pass needs at least 1 token; it was given 0");

    return engine.exclusive(() => this.#pass(prepared, tokens, options, wants, hooksOf, isOpen));
  }

  /** Lets go of the open recordings. */
  dispose(): void {
    for (const prepared of this.#prepared.values()) {
      prepared.then(({ executable }) => executable.dispose()).catch(() => undefined);
    }
    this.#prepared.clear();
  }

  async #pass(
    prepared: Prepared,
    tokens: readonly number[],
    { logits = "all", cache, signal }: LookOptions,
    wants: (name: string) => boolean,
    hooksOf: (name: string) => readonly Hook[],
    isOpen: boolean,
  ): Promise<LookResult> {
    const engine = this.#engine;
    const sequence = engine.open({ policy: cache && ruleOf(cache) });
    const captured: Record<string, CapturedTensor> = {};
    try {
      const { taps } = prepared.recording;
      const asked = taps.filter(({ name }) => wants(name) || hooksOf(name).length > 0);
      const pass = new Pass(engine, prepared, captured, wants, hooksOf, signal);
      const hasPatterns = asked.some(({ isPattern }) => isPattern) && isOpen;
      pass.begin(engine.plan([{ sequence, tokens }], 1, hasPatterns));
      for (const tap of asked) if (tap.after <= prepared.recording.body) await pass.stopAt([tap]);
      const first = logits === "last" ? tokens.length - 1 : 0;
      const wantsFinal = asked.filter(({ after }) => after > prepared.recording.body);
      if (logits === "none" && wantsFinal.length === 0) {
        await pass.finishBody();
        return { logits: null, captured };
      }
      const rows = wantsFinal.length > 0 ? 0 : first;
      const all = await pass.outputs(rows, tokens.length, wantsFinal, logits !== "none");
      if (logits === "none") return { logits: null, captured };
      const { vocabSize } = engine.config;
      const data = all.subarray((first - rows) * vocabSize);
      return { logits: { shape: [tokens.length - first, vocabSize], data }, captured };
    } finally {
      engine.close(sequence);
      engine.shrink();
    }
  }

  /** An open recording; they differ only in which scores and patterns are made and edited. */
  #open(
    names: readonly string[],
    wants: (name: string) => boolean,
    edits: (name: string) => boolean,
    signal: AbortSignal | undefined,
  ): Promise<Prepared> {
    const costly = names.filter((name) => /hook_(attn_scores|pattern)$/.test(name));
    const key = costly.map((name) => (edits(name) ? "e" : wants(name) ? "w" : "-")).join("");
    const kept = this.#prepared.get(key);
    if (kept) return kept;
    const made = this.#engine.prepare(this.#engine.store, { look: { wants, edits } }, signal ? { signal } : {});
    this.#prepared.set(key, made);
    made.catch(() => this.#prepared.delete(key));
    const oldest = this.#prepared.keys().next().value;
    if (this.#prepared.size > KEPT && oldest !== undefined) {
      void this.#prepared.get(oldest)?.then(({ executable }) => executable.dispose());
      this.#prepared.delete(oldest);
    }
    return made;
  }
}

/** One replay of a recording in parts. */
class Pass {
  readonly #engine: Engine;
  readonly #prepared: Prepared;
  readonly #captured: Record<string, CapturedTensor>;
  readonly #wants: (name: string) => boolean;
  readonly #hooksOf: (name: string) => readonly Hook[];
  readonly #signal: AbortSignal | undefined;
  #inputs: StepInputs | undefined;
  #pending: StepInputs["writes"] = [];
  #cursor = 0;

  constructor(
    engine: Engine,
    prepared: Prepared,
    captured: Record<string, CapturedTensor>,
    wants: (name: string) => boolean,
    hooksOf: (name: string) => readonly Hook[],
    signal: AbortSignal | undefined,
  ) {
    this.#engine = engine;
    this.#prepared = prepared;
    this.#captured = captured;
    this.#wants = wants;
    this.#hooksOf = hooksOf;
    this.#signal = signal;
  }

  begin(inputs: StepInputs): void {
    this.#inputs = inputs;
    this.#pending = inputs.writes;
  }

  /** Replays up to these taps (all at the same place), hands their tensors out, and writes back what hooks changed. */
  async stopAt(taps: readonly Tap[], outputs?: { begin: number; count: number }): Promise<void> {
    const { rows, variables } = this.#inputs!;
    const end = taps[0]!.after;
    const lines = outputs?.count ?? rows;
    const reads: Read[] = taps.map((tap) => ({
      tensor: tap.tensor,
      begin: 0,
      end: lines * lineLength(tap, variables),
    }));
    const read = await this.#run(end, reads, outputs ? { outputs: outputs.count } : {});
    for (const [i, tap] of taps.entries()) {
      const whole = read[i] as Float32Array;
      const tensor = takeOut(tap, whole, lines, variables);
      const hooks = this.#hooksOf(tap.name);
      for (const hook of hooks) {
        const replaced = await hook({ name: tap.name, ...tensor });
        if (!replaced) continue;
        if (replaced.length !== tensor.data.length) {
          throw new RangeError(
            `the hook on ${tap.name} returned ${replaced.length} numbers; the tensor [${tensor.shape.join(",")}] has ${tensor.data.length}`,
          );
        }
        tensor.data.set(replaced);
      }
      if (hooks.length > 0) {
        putBack(tap, whole, lines, variables, tensor.data);
        this.#pending.push({ tensor: tap.tensor, data: whole });
      }
      if (this.#wants(tap.name)) this.#keep(tap.name, tensor);
    }
  }

  async finishBody(): Promise<void> {
    await this.#run(this.#prepared.recording.body, []);
  }

  /** Logits [end - begin, vocabSize] of rows begin..end, a chunk of them at a time; an empty array if they are not wanted. */
  async outputs(begin: number, end: number, taps: readonly Tap[], wantsLogits: boolean): Promise<Float32Array> {
    const { vocabSize } = this.#engine.config;
    const { activations, chunkRows } = this.#engine;
    const { recording } = this.#prepared;
    const logits = new Float32Array(wantsLogits ? (end - begin) * vocabSize : 0);
    const tensor = activations.outputs("logits", vocabSize);
    await this.finishBody();
    for (let first = begin; first < end; first += chunkRows) {
      const count = Math.min(chunkRows, end - first);
      activations.reserve({ rows: 0, outputs: count, lines: 0 });
      this.#cursor = recording.body;
      const data = Uint32Array.from({ length: count }, (_, i) => first + i);
      this.#pending.push({ tensor: activations.ports.outputRows, data });
      for (const tap of taps) await this.stopAt([tap], { begin: first, count });
      if (!wantsLogits) continue;
      const [read] = await this.#run(recording.logits, [{ tensor, begin: 0, end: count * vocabSize }], {
        outputs: count,
      });
      logits.set(read as Float32Array, (first - begin) * vocabSize);
    }
    return logits;
  }

  async #run(end: number, reads: readonly Read[], more: Readonly<Record<string, number>> = {}) {
    this.#signal?.throwIfAborted();
    const writes = this.#pending;
    this.#pending = [];
    const variables = { ...this.#inputs!.variables, ...more };
    const begin = this.#cursor;
    this.#cursor = end;
    return this.#engine.device.run(this.#prepared.executable, { variables, writes, reads, begin, end });
  }

  /** Chunks of the same tap follow one another. */
  #keep(name: string, { shape, data }: CapturedTensor): void {
    const earlier = this.#captured[name];
    if (!earlier) {
      this.#captured[name] = { shape, data };
      return;
    }
    const joined = new Float32Array(earlier.data.length + data.length);
    joined.set(earlier.data);
    joined.set(data, earlier.data.length);
    this.#captured[name] = { shape: [earlier.shape[0]! + shape[0]!, ...shape.slice(1)], data: joined };
  }
}

type Variables = Readonly<Record<string, number>>;

/** Numbers of one row of the tensor that a tap lies in. */
function lineLength({ isPattern, isDouble, shape, stride }: Tap, { columns }: Variables): number {
  return isPattern ? shape[0]! * columns! * (isDouble ? 2 : 1) : stride;
}

/** The tap's own numbers: [rows, ...shape], or [heads, rows, columns] for patterns. */
function takeOut(tap: Tap, whole: Float32Array, rows: number, variables: Variables): CapturedTensor {
  const { shape, offset, width, stride } = tap;
  if (tap.isPattern) {
    const heads = shape[0]!;
    const columns = lineLength(tap, variables) / heads;
    const data = new Float32Array(whole.length);
    eachPatternLine(rows, heads, columns, (inTensor, inTap) => {
      data.set(whole.subarray(inTensor, inTensor + columns), inTap);
    });
    return { shape: [heads, rows, columns], data };
  }
  const data = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    data.set(whole.subarray(row * stride + offset, row * stride + offset + width), row * width);
  }
  return { shape: [rows, ...shape], data };
}

/** The reverse of takeOut, into the tensor's numbers. */
function putBack(tap: Tap, whole: Float32Array, rows: number, variables: Variables, data: Float32Array): void {
  const { shape, offset, width, stride } = tap;
  if (tap.isPattern) {
    const heads = shape[0]!;
    const columns = lineLength(tap, variables) / heads;
    eachPatternLine(rows, heads, columns, (inTensor, inTap) => {
      whole.set(data.subarray(inTap, inTap + columns), inTensor);
    });
    return;
  }
  for (let row = 0; row < rows; row++) {
    whole.set(data.subarray(row * width, (row + 1) * width), row * stride + offset);
  }
}

/** Places of each (row, head) line in [rows, heads, columns] and in [heads, rows, columns]. */
function eachPatternLine(
  rows: number,
  heads: number,
  columns: number,
  visit: (inTensor: number, inTap: number) => void,
): void {
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < heads; head++) visit((row * heads + head) * columns, (head * rows + row) * columns);
  }
}

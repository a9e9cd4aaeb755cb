// One forward pass over a whole sequence in which named tensors are captured, or replaced by hooks. A recording with the requested
// taps is replayed from tap to tap; generation keeps its own fused recording.

import type { CachePolicy } from "../cache/policies/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { CapturedTensor, joinRows, putBack, rowLength, takeOut } from "./captured.ts";
import { Pass, type KernelCall } from "./pass.ts";
import { wholeRead } from "./step-inputs.ts";
import type { Steps } from "./steps.ts";
import { recordingKey, tapKinds, tapMatcher, type Tap } from "./taps.ts";
import type { Turns } from "./turns.ts";

/** The tensor that a hook receives. The hook may change `data` in place, or return new numbers of the same count. */
export interface HookedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
/** Reads or replaces a tensor during the forward pass. It cannot call its own model, which waits for it: such a call is refused. */
export type Hook = (tensor: HookedTensor) => Float32Array | void | Promise<Float32Array | void>;

/** Options of a forward pass. */
export interface ForwardOptions {
  /** names of taps; `*` stands for one part: `blocks.*.attn.hook_pattern` */
  readonly capture?: readonly string[] | undefined;
  /** keyed by tap names as in `capture`; hooks run in the order of the model, those of one tap in the order given */
  readonly hooks?: Readonly<Record<string, Hook>> | undefined;
  /** the rows whose logits are returned: of every token (the default), of the last, or none */
  readonly logits?: "all" | "last" | "none" | undefined;
  /** its rule decides which keys are visible; keys that it would drop by statistics stay */
  readonly cache?: CachePolicy | undefined;
  readonly signal?: AbortSignal | undefined;
}

const FORWARD_OPTIONS: OptionNames<ForwardOptions> = {
  capture: true,
  hooks: true,
  logits: true,
  cache: true,
  signal: true,
};

/** The result of a forward pass. */
export interface ForwardResult {
  /** [tokens, vocabSize], or [1, vocabSize] for "last"; null for "none" */
  readonly logits: CapturedTensor | null;
  /** residuals [tokens, dim]; q, k, v, z [tokens, heads, headDim]; scores and patterns [heads, tokens, keys] */
  readonly captured: Readonly<Record<string, CapturedTensor>>;
  /** of each captured tensor the calls up to the one that wrote it, which is the last */
  readonly calls: Readonly<Record<string, readonly KernelCall[]>>;
}

/** The taps that a pass stops at, and their hooks. */
interface Inspection {
  wants(name: string): boolean;
  hooksOf(name: string): readonly Hook[];
}

/**
 * Runs one pass over `tokens` in a new sequence. Throws a RangeError for no tokens, for a tap that does not exist, and for a hook that
 * returns another count of numbers.
 */
export async function forward(
  steps: Steps,
  tokens: readonly number[],
  options: ForwardOptions = {},
): Promise<ForwardResult> {
  checkOptions("forward", options, FORWARD_OPTIONS);
  const { capture = [], hooks = {}, cache, signal } = options;
  const wants = tapMatcher(capture, steps.config);
  const matched = Object.entries(hooks).map(([pattern, hook]) => ({
    matches: tapMatcher([pattern], steps.config),
    hook,
  }));
  const hooksOf = (name: string) => matched.filter(({ matches }) => matches(name)).map(({ hook }) => hook);
  if (tokens.length === 0) throw new RangeError("a forward pass needs at least 1 token; it was given 0");
  const hasTaps = capture.length > 0 || matched.length > 0;
  const kinds = tapKinds(steps.config.layers);
  const asked = { wants, edits: (name: string) => hooksOf(name).length > 0, kinds };
  const taps = hasTaps ? { ...asked, key: recordingKey(asked, steps.config) } : undefined;
  const hasPatterns = [...kinds].some(([name, { shape }]) => shape === "pattern" && (wants(name) || taps?.edits(name)));
  return steps.pass(tokens, taps, { policy: cache && ruleOf(cache), hasPatterns, signal }, (parts) =>
    new Inspector(new Pass(parts), { wants, hooksOf }, steps.turns).run(tokens.length, steps, options.logits ?? "all"),
  );
}

/** The policy reduced to its rule. */
function ruleOf({ name, rule, isAnchor }: CachePolicy): CachePolicy {
  return { name, rule: rule ?? {}, isAnchor };
}

/** Stops a pass at its taps. */
class Inspector {
  readonly #pass: Pass;
  readonly #inspection: Inspection;
  readonly #turns: Turns;
  /** pieces of each captured tensor, by name: taps behind the body give one piece per chunk of outputs */
  readonly #pieces = new Map<string, CapturedTensor[]>();
  readonly #calls: Record<string, readonly KernelCall[]> = {};

  constructor(pass: Pass, inspection: Inspection, turns: Turns) {
    this.#pass = pass;
    this.#inspection = inspection;
    this.#turns = turns;
  }

  async run(
    tokens: number,
    { chunkRows, config: { vocabSize } }: Steps,
    logits: "all" | "last" | "none",
  ): Promise<ForwardResult> {
    const { recording } = this.#pass;
    const asked = recording.taps.filter(
      ({ name }) => this.#inspection.wants(name) || this.#inspection.hooksOf(name).length > 0,
    );
    const final = asked.filter(({ after }) => after > recording.body);
    for (const tap of asked) if (tap.after <= recording.body) await this.#stopAt(tap, this.#pass.rows);
    await this.#pass.runTo(recording.body);
    const first = logits === "last" ? tokens - 1 : 0;
    const wantsLogits = logits !== "none";
    let result: CapturedTensor | null = null;
    if (wantsLogits || final.length > 0) {
      // Taps behind the body have all rows, even if the logits of the last row alone are wanted.
      const begin = final.length > 0 ? 0 : first;
      const all = await this.#outputs(begin, tokens, final, { chunkRows, vocabSize, wantsLogits });
      const shape = [tokens - first, vocabSize];
      if (wantsLogits) result = new CapturedTensor(shape, all.subarray((first - begin) * vocabSize));
    }
    const captured = [...this.#pieces].map(([name, pieces]): [string, CapturedTensor] => [name, joinRows(pieces)]);
    return { logits: result, captured: Object.fromEntries(captured), calls: this.#calls };
  }

  /** Replays up to a tap, passes its tensor to hooks and capture, and writes the tensor back if there was a hook. */
  async #stopAt(tap: Tap, rows: number): Promise<void> {
    const { columns } = this.#pass;
    const [read] = await this.#pass.runTo(tap.after, [wholeRead(tap.tensor, rows * rowLength(tap, columns))]);
    const whole = read as Float32Array;
    const tensor = takeOut(tap, whole, rows, columns);
    const hooks = this.#inspection.hooksOf(tap.name);
    for (const hook of hooks) {
      const { name } = tap;
      const { shape, data } = tensor;
      const replaced = await this.#turns.call(`the hook on ${name}`, () => hook({ name, shape, data }));
      if (!replaced) continue;
      if (replaced.length !== tensor.data.length) {
        throw new RangeError(
          `the hook on ${tap.name} returned ${replaced.length} numbers; the tensor [${tensor.shape.join(",")}] has ${tensor.data.length}`,
        );
      }
      tensor.data.set(replaced);
    }
    if (hooks.length > 0) {
      putBack(tap, whole, rows, columns, tensor.data);
      this.#pass.write({ tensor: tap.tensor, data: whole });
    }
    if (!this.#inspection.wants(tap.name)) return;
    this.#calls[tap.name] ??= this.#pass.callsTo(tap.tensor, tap.after);
    const pieces = this.#pieces.get(tap.name);
    if (pieces) pieces.push(tensor);
    else this.#pieces.set(tap.name, [tensor]);
  }

  /** Returns the logits [end - begin, vocabSize] of rows begin..end, computed in chunks; an empty array if they are not wanted. */
  async #outputs(
    begin: number,
    end: number,
    taps: readonly Tap[],
    options: { readonly chunkRows: number; readonly vocabSize: number; readonly wantsLogits: boolean },
  ): Promise<Float32Array> {
    const { chunkRows, vocabSize, wantsLogits } = options;
    const logits = new Float32Array(wantsLogits ? (end - begin) * vocabSize : 0);
    const tensor = this.#pass.activations.outputs("logits", vocabSize);
    for (let first = begin; first < end; first += chunkRows) {
      const count = Math.min(chunkRows, end - first);
      this.#pass.selectOutputs(first, count);
      for (const tap of taps) await this.#stopAt(tap, count);
      if (!wantsLogits) continue;
      const [read] = await this.#pass.runTo(this.#pass.recording.logits, [wholeRead(tensor, count * vocabSize)]);
      logits.set(read as Float32Array, (first - begin) * vocabSize);
    }
    return logits;
  }
}

// Logits -> logits. Selective Prompt Anchoring (arXiv 2408.09121) decodes from
//
//     l' = l + Σ_k (w_k - 1) · (l - l_mask_k)                                            [vocabSize]
//
// with l and l_mask_k the log-softmaxed logits of the plain row and of the row in which group k is masked. With another second prompt
// the same formula is classifier-free guidance or context-aware decoding (see `Contrast`).
//
// Invariant: where every factor w_k - 1 is 0 the result is the log-softmax of l, bit for bit. Sums are in double precision;
// nothing is allocated.

import { logSumExp } from "../generate/log-probs.ts";
import { argmax } from "../generate/ranking.ts";

/**
 * How the factor f = w - 1 of each group depends on the step. p are the plain row's probabilities:
 *
 * - `constant`: f (the paper)
 * - `probability`: f · p(token) / max p, so that unlikely tokens are left alone
 * - `growing`: f · tokens generated / tokens of the group: nothing at first, f after as many tokens as the anchor has, then more
 * - `confidence`: f · max p, so that the anchor pulls where the model is sure
 */
export type Schedule = "constant" | "probability" | "growing" | "confidence";

/** Options of {@link combine}. */
export interface CombineOptions {
  /** `constant` by default */
  readonly schedule?: Schedule | undefined;
  /** tokens generated so far; for `growing` */
  readonly generated?: number | undefined;
  /** anchored tokens, by group; for `growing` */
  readonly anchorTokens?: readonly number[] | undefined;
}

/** Writes the probabilities of logits [vocabSize] to `out`, for strength functions. Throws like {@link logSumExp}. */
export function softmax(logits: ArrayLike<number>, out: Float32Array, row = "logits"): Float32Array {
  const whole = logSumExp(logits, row);
  for (let token = 0; token < logits.length; token++) out[token] = Math.exp(logits[token]! - whole);
  return out;
}

/**
 * Combines the plain row's logits with those of masked rows, in place: `logits` [vocabSize] becomes l' of this file's header, of
 * which sampling takes temperature, top-k and the rest. All inputs are raw logits; the masked ones are only read.
 *
 * @param masked [groups] rows of [vocabSize]; null for a group of strength 1 whose row was not run
 * @param strengths [groups]
 *
 * A token of -Infinity in the plain row stays so. One of -Infinity in a masked row alone follows the limit where that is
 * -Infinity (factors below 0); where it would be +Infinity, that group's term is left out for this token.
 *
 * Throws RangeError on a logit that is NaN or +Infinity, a strength that is not a finite number, a missing row, lengths
 * that differ, and a schedule that lacks its numbers. `logits` is then as it was.
 */
export function combine(
  logits: Float32Array,
  masked: readonly (ArrayLike<number> | null)[],
  strengths: readonly number[],
  options: CombineOptions = {},
): Float32Array {
  const { length } = logits;
  const groups = strengths.length;
  if (masked.length !== groups) {
    throw new RangeError(`there are ${masked.length} masked rows but ${groups} strengths`);
  }
  const { schedule = "constant" } = options;
  const whole = logSumExp(logits, "the plain row");
  let top = 0; // the largest log-probability
  if (schedule === "probability" || schedule === "confidence") {
    top = -Infinity;
    for (let token = 0; token < length; token++) top = Math.max(top, logits[token]! - whole);
  }
  if (scratch.factors.length < groups) scratch = newScratch(groups);
  const { factors, wholes } = scratch;
  // All is checked before anything is written.
  for (let group = 0; group < groups; group++) {
    factors[group] = factorOf(strengths[group]!, group, schedule, options, top);
    if (factors[group] === 0) continue;
    const row = masked[group];
    if (!row) throw new RangeError(`group ${group} has strength ${strengths[group]} but no masked row`);
    if (row.length !== length) {
      throw new RangeError(`the masked row of group ${group} has ${row.length} logits; the plain row has ${length}`);
    }
    wholes[group] = logSumExp(row, `the masked row of group ${group}`);
  }
  for (let token = 0; token < length; token++) {
    const plain = logits[token]! - whole;
    let sum = plain;
    if (plain > -Infinity) {
      const share = schedule === "probability" ? Math.exp(plain - top) : 1;
      for (let group = 0; group < groups; group++) {
        const factor = factors[group]! * share;
        if (factor === 0) continue;
        const other = masked[group]![token]! - wholes[group]!;
        if (other > -Infinity) sum += factor * (plain - other);
        else if (factor < 0) sum = -Infinity;
      }
    }
    logits[token] = sum;
  }
  return logits;
}

const LARGEST = 3.4028234663852886e38;

/**
 * Returns the argmax of what {@link combine} computes at constant strengths, the lowest of equal tokens. It needs no log-softmax, which
 * shifts all tokens of a row alike. The inputs are those of `combine`, and so are the errors; nothing is written.
 */
export function combinedArgmax(
  logits: ArrayLike<number>,
  masked: readonly ArrayLike<number>[],
  strengths: readonly number[],
): number {
  let [best, largest] = [-1, -Infinity];
  for (let token = 0; token < logits.length; token++) {
    const plain = logits[token]!;
    let sum = plain;
    for (let group = 0; group < masked.length; group++) {
      const other = masked[group]![token]!;
      // as in `combine`: a token that only the masked row excludes follows the limit, or leaves that group out
      if (!(other < Infinity) || (other === -Infinity && plain > -Infinity)) sum = Number.NaN;
      else if (plain > -Infinity) sum += (strengths[group]! - 1) * (plain - other);
    }
    // NaN, and what no f32 holds: `combine` says what is wrong, if anything is
    if (!(sum <= LARGEST)) return argmax(combine(Float32Array.from(logits), masked, strengths));
    if (sum > largest) [best, largest] = [token, sum];
  }
  return best < 0 ? argmax(combine(Float32Array.from(logits), masked, strengths)) : best;
}

interface Scratch {
  /** w - 1 after the schedule, by group */
  readonly factors: Float64Array;
  /** log-sum-exp of the masked rows, by group */
  readonly wholes: Float64Array;
}

function newScratch(groups: number): Scratch {
  return { factors: new Float64Array(groups), wholes: new Float64Array(groups) };
}

/** Kept from token to token; grown for more groups than it was made for. */
let scratch = newScratch(8);

/**
 * The factor of a group by its schedule, with `top` the largest log-probability (which `confidence` needs). Throws RangeError as
 * {@link combine} does.
 */
export function factorOf(
  strength: number,
  group: number,
  schedule: Schedule,
  { generated, anchorTokens }: CombineOptions,
  top = 0,
): number {
  if (!Number.isFinite(strength)) {
    throw new RangeError(`the strength of group ${group} is ${strength}: it must be a finite number`);
  }
  const factor = strength - 1;
  switch (schedule) {
    case "constant":
    case "probability":
      return factor;
    case "confidence":
      return factor * Math.exp(top);
    case "growing": {
      const tokens = anchorTokens?.[group];
      if (generated === undefined || !(generated >= 0 && generated < Infinity)) {
        throw new RangeError(`the schedule "growing" needs the number of generated tokens; it was given ${generated}`);
      }
      if (tokens === undefined || !(tokens > 0)) {
        throw new RangeError(
          `the schedule "growing" needs the tokens of group ${group}, 1 or more; it was given ${tokens}`,
        );
      }
      return (factor * generated) / tokens;
    }
    default:
      schedule satisfies never;
      throw new RangeError(
        `there is no schedule ${JSON.stringify(schedule)}: use constant, probability, growing or confidence`,
      );
  }
}

/**
 * Which second prompt a run is contrasted with, in each paper's own parameter.
 *
 * - `guidance`, classifier-free guidance: the prompt removed; scale γ, 1 is plain (arXiv 2306.17806)
 * - `negative-prompt`: another prompt, whose ways are to be avoided, in place of the removed one; scale γ (the same paper)
 * - `context`, context-aware decoding: the context removed, the question kept; alpha α, 0 is plain (arXiv 2305.14739)
 */
export type Contrast =
  | { readonly method: "guidance"; readonly scale: number }
  | { readonly method: "negative-prompt"; readonly scale: number }
  | { readonly method: "context"; readonly alpha: number };

/** The strength w of {@link combine} that a method's own parameter amounts to. Throws RangeError if it is not a finite number. */
export function contrastStrength(contrast: Contrast): number {
  const strength = strengthOf(contrast);
  if (!Number.isFinite(strength)) {
    throw new RangeError(`${contrast.method} amounts to a strength of ${strength}: it must be a finite number`);
  }
  return strength;
}

function strengthOf(contrast: Contrast): number {
  switch (contrast.method) {
    case "guidance":
    case "negative-prompt":
      return contrast.scale;
    case "context":
      return 1 + contrast.alpha;
    default:
      contrast satisfies never;
      throw new RangeError(`there is no method ${JSON.stringify(contrast)} of contrast`);
  }
}

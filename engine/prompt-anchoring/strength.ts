// The strength of a group of anchors: a number, or a function that is called before each token.
//
// A function sees how many tokens have been generated, the plain row's probabilities and, if it asks for them, the shares of
// attention that the groups have received. Groups whose strength is the number 1 change nothing: `needsMaskedRows` names them,
// and no row is run for them.

import { checkOptions } from "../options.ts";

/** Attention that one group's tokens have received from the generated tokens, of all that the prompt's tokens have. */
export interface AttentionShare {
  /** mean over all queries so far, 0 to 1; equal to `fair` before the first */
  readonly total: number;
  /** mean over the last few queries, 0 to 1; equal to `fair` before the first */
  readonly recent: number;
  /** the group's share of the prompt's tokens, 0 to 1: what even attention would give it */
  readonly fair: number;
}

/** The argument of a strength function. It is valid during the call only, because its arrays are reused. */
export interface StrengthStep {
  /** tokens generated so far, 0 for the first */
  readonly generated: number;
  /** probabilities of the plain row [vocabSize] */
  readonly probabilities: ArrayLike<number>;
  /** which group is asked about: an index into `shares` */
  readonly group: number;
  /** by group; present if one of the functions asks with `needsShares` */
  readonly shares?: readonly AttentionShare[] | undefined;
}

/** A strength that depends on the step. It must return a finite number. */
export interface StrengthFunction {
  (step: StrengthStep): number;
  /** true: it reads `step.shares`, which costs reading attention for each token */
  readonly needsShares?: boolean | undefined;
}

/** How strongly anchors are held: 1 leaves the model as it is, above 1 amplifies, 0 is the masked prompt, below 0 reverses. */
export type Strength = number | StrengthFunction;

/** Returns the strength, or throws a RangeError that names `what` if it is neither a finite number nor a function. */
export function checkStrength(strength: unknown, what: string): Strength {
  if (typeof strength === "function") return strength as StrengthFunction;
  if (typeof strength === "number" && Number.isFinite(strength)) return strength;
  const found = typeof strength === "string" ? JSON.stringify(strength) : String(strength);
  throw new RangeError(`the strength of ${what} is ${found}: it must be a finite number or a function of the step`);
}

/**
 * Which groups need a masked row, by group. Not those of constant strength 1, whose term in the formula is 0 in every
 * schedule; one with a function does even while that returns 1, because its row must have seen every token.
 * A group without a strength counts as one of strength 1. Throws RangeError on a strength that is not a number.
 */
export function needsMaskedRows(groups: readonly { readonly strength?: Strength | undefined }[]): boolean[] {
  return groups.map(({ strength = 1 }, i) => checkStrength(strength, `group ${i}`) !== 1);
}

/** True if one of the strengths is a function that reads `shares`. */
export function needsShares(strengths: readonly Strength[]): boolean {
  return strengths.some((strength) => typeof strength === "function" && strength.needsShares === true);
}

/**
 * Writes the strengths of a step to `out`, by group. `step` is asked for only if one of the strengths is a function.
 * Throws RangeError if one returns anything but a finite number.
 */
export function strengthsAt(
  strengths: readonly Strength[],
  out: number[],
  step: () => Omit<StrengthStep, "group">,
): number[] {
  let seen: Omit<StrengthStep, "group"> | undefined;
  for (const [group, strength] of strengths.entries()) {
    if (typeof strength === "number") {
      out[group] = strength;
      continue;
    }
    seen ??= step();
    const value: unknown = strength({ ...seen, group });
    if (typeof value !== "number" || !Number.isFinite(value)) {
      throw new RangeError(
        `the strength function of group ${group} returned ${String(value)} after ${seen.generated} tokens: it must return a finite number`,
      );
    }
    out[group] = value;
  }
  return out;
}

/** Options of {@link byNeglect}. */
export interface NeglectOptions {
  /** strength of a group that receives no attention at all */
  readonly strength: number;
  /** strength of a group that receives its fair share or more; 1, which leaves it alone, by default */
  readonly floor?: number | undefined;
  /**
   * The fraction of its fair share with which a group counts as attended to, above 0; 1 by default. Where a few tokens, such as
   * the first, draw most of all attention, no group reaches its fair share, and a smaller fraction is wanted.
   */
  readonly enough?: number | undefined;
}

/**
 * A strength that grows as a group is neglected: with r the group's recent share of attention and g = enough · fair,
 *
 *     neglect = max(0, 1 - r / g)        w = floor + (strength - floor) · neglect
 *
 * so that w is `strength` at r = 0, falls linearly, and is `floor` from r = g on, as it is before the first token has been
 * generated. This rule is kedge's own: it is in no paper, and nobody has measured it. Throws RangeError on a number out of range, and
 * when called without shares.
 */
export function byNeglect(options: NeglectOptions): StrengthFunction {
  checkOptions("byNeglect", options, { strength: true, floor: true, enough: true });
  const { strength, floor = 1, enough = 1 } = options;
  for (const [name, value] of [
    ["strength", strength],
    ["floor", floor],
  ] as const) {
    if (!Number.isFinite(value)) throw new RangeError(`byNeglect: its ${name} is ${value}: it must be a finite number`);
  }
  if (!(enough > 0 && Number.isFinite(enough))) {
    throw new RangeError(`byNeglect: its "enough" is ${enough}: it must be a finite number above 0`);
  }
  const rule = ({ shares, group }: StrengthStep): number => {
    const share = shares?.[group];
    if (!share) throw new RangeError(`byNeglect needs the share of attention of group ${group}; the step has none`);
    const goal = enough * share.fair;
    const neglect = goal > 0 ? Math.max(0, 1 - share.recent / goal) : 0;
    return floor + (strength - floor) * neglect;
  };
  return Object.assign(rule, { needsShares: true });
}

/** Options of {@link createShareMeter}. */
export interface ShareMeterOptions {
  /** half-open ranges of prompt tokens, by group */
  readonly groups: readonly { readonly tokens: readonly { readonly begin: number; readonly end: number }[] }[];
  readonly promptTokens: number;
  /** queries that "recent" covers; 8 by default */
  readonly window?: number | undefined;
}

/** Keeps account of the attention that groups receive. */
export interface ShareMeter {
  /**
   * Adds one query's attention, [promptTokens] or more with the generated tokens' behind: averaged over heads, of the last layer
   * or of chosen ones. A query with no attention on the prompt is not counted. Throws RangeError if it is shorter than the prompt.
   */
  add(attention: ArrayLike<number>): void;
  /** the shares now, by group; the same objects every time */
  readonly shares: readonly AttentionShare[];
}

/** A meter of attention shares: memory and time are in proportion to the prompt and the window. Throws RangeError on ranges outside the prompt. */
export function createShareMeter({ groups, promptTokens, window = 8 }: ShareMeterOptions): ShareMeter {
  if (!(Number.isInteger(window) && window > 0)) {
    throw new RangeError(`the window of recent queries is ${window}: it must be a whole number above 0`);
  }
  const members = groups.map(({ tokens }, group) => {
    const inGroup = new Uint8Array(promptTokens);
    for (const { begin, end } of tokens) {
      if (!(begin >= 0 && begin <= end && end <= promptTokens)) {
        throw new RangeError(`group ${group} has tokens ${begin}..${end}; the prompt has ${promptTokens}`);
      }
      inGroup.fill(1, begin, end);
    }
    return inGroup;
  });
  const shares = members.map((inGroup) => {
    const fair = inGroup.reduce((sum, isIn) => sum + isIn, 0) / promptTokens;
    return { total: fair, recent: fair, fair };
  });
  const history = members.map(() => new Float64Array(window)); // rings of the last shares
  let queries = 0;
  return {
    shares,
    add(attention) {
      if (attention.length < promptTokens) {
        throw new RangeError(
          `attention over ${attention.length} keys cannot be that of a prompt of ${promptTokens} tokens`,
        );
      }
      let whole = 0;
      for (let i = 0; i < promptTokens; i++) whole += attention[i]!;
      if (!(whole > 0)) return;
      const counted = Math.min(++queries, window);
      for (const [group, share] of shares.entries()) {
        const inGroup = members[group]!;
        const ring = history[group]!;
        let own = 0;
        for (let i = 0; i < promptTokens; i++) own += inGroup[i]! * attention[i]!;
        ring[(queries - 1) % window] = own / whole;
        share.total = queries === 1 ? own / whole : share.total + (own / whole - share.total) / queries;
        share.recent = ring.reduce((sum, value) => sum + value, 0) / counted;
      }
    },
  };
}

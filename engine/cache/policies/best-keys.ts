// What the policies share: checks of what they are given, and picking the best keys of a list.

import { checkOptions, wholeNumber, type OptionNames } from "../../options.ts";
import { checkBudget, keysOf, type Budget } from "./budget.ts";
import { DENSE_RULE, type AttentionStatistic, type ChooserPolicy, type KeyView } from "./policy.ts";

/** How much a policy keeps of each layer, and when it acts. */
export interface EvictionOptions {
  /** keys to keep in each layer */
  readonly budget: Budget;
  /**
   * false (the default): from the prompt's end on, as in the papers, so that a prompt gives the same result whatever the chunks
   * it goes through in. true: after each chunk too; the peak stays small, and the result depends on the chunks.
   */
  readonly duringPrompt?: boolean | undefined;
}

/** Throws a RangeError for a budget that is none and for options that there are not; returns the options with their defaults. */
export function checkEviction<T extends EvictionOptions>(
  policy: string,
  options: T,
  more?: OptionNames<Omit<T, keyof EvictionOptions>>,
): Required<Pick<EvictionOptions, "budget">> & { readonly duringPrompt: boolean } {
  const names = { budget: true, duringPrompt: true, ...more };
  checkOptions<object>(policy, options, names);
  return { budget: checkBudget(policy, options.budget), duringPrompt: options.duringPrompt ?? false };
}

/** A policy that keeps the first keys and the newest others, a share of the prompt's in all, from the prompt's end on. */
export function keepEnds(name: string, first: number, budget: Budget): ChooserPolicy {
  const mostOf = (promptLength: number) => keysOf(budget, promptLength, first + 1);
  return {
    name,
    rule: DENSE_RULE,
    keepsPrompt: true,
    budget: (_layer, _layers, promptLength) => mostOf(promptLength),
    keep(view) {
      const keys = view.positions.length;
      const most = mostOf(view.promptLength);
      if (keys <= most || isInsidePrompt(view)) return null;
      return Uint32Array.from({ length: most }, (_, i) => (i < first ? i : keys - most + i));
    },
  };
}

/** Throws a RangeError unless the queries that a policy observes leave room in its budget for other keys. */
export function checkWindow(policy: string, window: number, budget: Budget): void {
  wholeNumber(policy, "window", window, 1);
  if (typeof budget === "object" || window < budget) return;
  throw new RangeError(
    `${policy}: the window of ${window} is always kept and needs a budget above ${window}; it is ${budget}`,
  );
}

/** Throws a RangeError unless the width of a pooling is odd: only then does it have a middle. */
export function checkPool(policy: string, pool: number): void {
  wholeNumber(policy, "pool", pool, 1);
  if (pool % 2 === 0) {
    throw new RangeError(`${policy}: pool must be odd, such as ${pool - 1} or ${pool + 1}; it is ${pool}`);
  }
}

/** True for the calls between chunks of a prompt that has not ended. */
export function isInsidePrompt({ positions, promptLength }: KeyView): boolean {
  return (positions.at(-1) ?? promptLength) < promptLength - 1;
}

/** A statistic that the policy asked for. Throws a RangeError if it was not given, or not one number for each key. */
export function statisticOf(policy: string, view: KeyView, name: AttentionStatistic): Float32Array {
  const statistic = view.statistics[name];
  const keys = view.positions.length;
  if (statistic?.length === keys) return statistic;
  const given = statistic === undefined ? "none" : String(statistic.length);
  throw new RangeError(`${policy}: needs the statistic "${name}" of ${keys} keys; it was given ${given}`);
}

/**
 * Indices, ascending, of the `count` keys with the largest scores among the first `end`, and of all keys from `end` to
 * `length`. Of equal scores the newer key is kept. With a `count` of `end` or more all are. Throws a RangeError for a NaN.
 */
export function keepLargest(scores: ArrayLike<number>, count: number, end: number, length: number): Uint32Array {
  const dropped = Math.max(0, end - Math.max(0, count));
  const threshold = nthSmallest(scores, end, dropped);
  const indices = new Uint32Array(length - dropped);
  // below the threshold all go; of those on it the oldest, as many as are left to drop
  let onThreshold = dropped;
  for (let key = 0; key < end; key++) if (scores[key]! < threshold) onThreshold--;
  let kept = 0;
  for (let key = 0; key < length; key++) {
    const score = key < end ? scores[key]! : Infinity;
    const isDropped = key < end && (score < threshold || (score === threshold && onThreshold-- > 0));
    if (!isDropped) indices[kept++] = key;
  }
  return indices;
}

/** The n-th smallest of the first `end` scores, counted from 1; -Infinity for n = 0. One to drop, the common case, is one scan. */
function nthSmallest(scores: ArrayLike<number>, end: number, n: number): number {
  const sorted = new Float64Array(n > 1 ? end : 0);
  let smallest = Infinity;
  for (let key = 0; key < end; key++) {
    const score = scores[key]!;
    if (Number.isNaN(score)) throw new RangeError(`the statistic of key ${key} of ${end} is NaN; it must be a number`);
    if (score < smallest) smallest = score;
    if (n > 1) sorted[key] = score;
  }
  if (n === 0) return -Infinity;
  return n === 1 ? smallest : sorted.sort()[n - 1]!;
}

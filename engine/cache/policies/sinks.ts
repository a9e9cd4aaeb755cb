import { UNMASKED, type CachePolicy } from "./policy.ts";
import { wholeNumber } from "./selection.ts";

/** Sinks that StreamingLLM found to be enough. */
export const DEFAULT_SINKS = 4;

/**
 * Keeps the `first` keys (undefined: 4) and the last `window`: attention sinks, StreamingLLM (arXiv 2309.17453), first +
 * window keys in all. Differs from the paper in one thing: keys stay rotated at their absolute positions, where the paper
 * counts positions inside the cache. Throws a RangeError unless `first` is a whole number >= 0 and `window` one >= 1.
 */
export function sinks(first: number | undefined, window: number): CachePolicy {
  const count = wholeNumber("sinks", "sinks", first ?? DEFAULT_SINKS, 0);
  wholeNumber("sinks", "window", window, 1);
  return {
    name: `sinks:${count},${window}`,
    rule: { ...UNMASKED, sinks: count, keepWindow: window },
    budget: () => count + window,
  };
}

import { UNMASKED, type CachePolicy } from "./policy.ts";
import { wholeNumber } from "./selection.ts";

/**
 * Keeps the last `length` keys: each query sees itself and the length - 1 before it. Throws a RangeError unless `length` is a
 * whole number >= 1.
 */
export function window(length: number): CachePolicy {
  wholeNumber("window", "its length", length, 1);
  return { name: `window:${length}`, rule: { ...UNMASKED, keepWindow: length }, budget: () => length };
}

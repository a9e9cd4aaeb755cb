import { UNMASKED, type CachePolicy } from "./policy.ts";
import { isInsidePrompt, keepLargest, statisticOf, wholeNumber, type EvictionOptions } from "./selection.ts";

/** Settings of {@link keyNorm} beside its budget. */
export interface KeyNormOptions extends EvictionOptions {
  /** first layers that keep everything; default 0. The authors' code leaves the first 2 whole: there, norms tell little. */
  readonly wholeLayers?: number;
}

/**
 * Keeps the keys with the smallest L2 norm, which tend to be those that get the most attention (Devoto and others, arXiv
 * 2406.11430), and the newest. Differs from the paper: the heads of a layer share one list and their mean norm decides. Throws
 * a RangeError unless `budget` is a whole number >= 1 and `wholeLayers` one >= 0.
 */
export function keyNorm(budget: number, { duringPrompt = false, wholeLayers = 0 }: KeyNormOptions = {}): CachePolicy {
  wholeNumber("key-norm", "budget", budget, 1);
  wholeNumber("key-norm", "wholeLayers", wholeLayers, 0);
  const budgetOf = (layer: number | null) => (layer !== null && layer < wholeLayers ? Infinity : budget);
  return {
    name: wholeLayers === 0 ? `key-norm:${budget}` : `key-norm:${budget},whole=${wholeLayers}`,
    rule: UNMASKED,
    isPerLayer: true,
    statistics: ["key-norm"],
    budget: budgetOf,
    keep(view) {
      const keys = view.positions.length;
      if (keys <= budgetOf(view.layer) || (!duringPrompt && isInsidePrompt(view))) return null;
      const negated = statisticOf("key-norm", view, "key-norm").map((norm) => -norm);
      return keepLargest(negated, budget - 1, keys - 1, keys);
    },
  };
}

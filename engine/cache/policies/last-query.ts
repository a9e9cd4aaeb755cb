import { UNMASKED, type CachePolicy } from "./policy.ts";
import { isInsidePrompt, keepLargest, statisticOf, wholeNumber, type EvictionOptions } from "./selection.ts";

/**
 * Keeps the keys that the newest query attends to most, mean over the layer's heads: TOVA (arXiv 2401.06104). The newest key
 * itself always stays; the paper lets it compete. Throws a RangeError unless `budget` is a whole number >= 1.
 */
export function lastQuery(budget: number, { duringPrompt = false }: EvictionOptions = {}): CachePolicy {
  wholeNumber("last-query", "budget", budget, 1);
  return {
    name: `last-query:${budget}`,
    rule: UNMASKED,
    isPerLayer: true,
    statistics: ["last"],
    budget: () => budget,
    keep(view) {
      const keys = view.positions.length;
      if (keys <= budget || (!duringPrompt && isInsidePrompt(view))) return null;
      return keepLargest(statisticOf("last-query", view, "last"), budget - 1, keys - 1, keys);
    },
  };
}

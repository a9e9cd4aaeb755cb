import { UNMASKED, type CachePolicy } from "./policy.ts";
import { isInsidePrompt, keepLargest, statisticOf, wholeNumber, type EvictionOptions } from "./selection.ts";

/**
 * Keeps the recent half of the budget (rounded up) and, of the older keys, those with the most attention accumulated over all
 * queries so far: heavy hitters, H2O (arXiv 2306.14048), whose cache is halved in the same way. Differs from the paper: the
 * heads of a layer share one list and their sum decides, where the paper chooses for each head. Throws a RangeError unless
 * `budget` is a whole number >= 1.
 */
export function heavyHitters(budget: number, { duringPrompt = false }: EvictionOptions = {}): CachePolicy {
  wholeNumber("heavy-hitters", "budget", budget, 1);
  const recent = Math.ceil(budget / 2);
  return {
    name: `heavy-hitters:${budget}`,
    rule: UNMASKED,
    isPerLayer: true,
    statistics: ["accumulated"],
    budget: () => budget,
    keep(view) {
      const keys = view.positions.length;
      if (keys <= budget || (!duringPrompt && isInsidePrompt(view))) return null;
      const accumulated = statisticOf("heavy-hitters", view, "accumulated");
      return keepLargest(accumulated, budget - recent, keys - recent, keys);
    },
  };
}

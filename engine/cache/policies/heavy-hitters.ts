import { budgetText, keysOf } from "./budget.ts";
import { DENSE_RULE, type ChooserPolicy } from "./policy.ts";
import { checkEviction, isInsidePrompt, keepLargest, statisticOf, type EvictionOptions } from "./best-keys.ts";

/**
 * Keeps the recent half of the budget (rounded up) and, of the older keys, those with the most attention accumulated over all
 * queries so far: heavy hitters, H2O (arXiv 2306.14048), whose cache is halved in the same way. Differs from the paper: the
 * heads of a layer share one list and their sum decides, where the paper chooses for each head. Throws a RangeError for a budget
 * that is none.
 */
export function heavyHitters(options: EvictionOptions): ChooserPolicy {
  const { budget, duringPrompt } = checkEviction("heavy-hitters", options);
  return {
    name: `heavy-hitters:${budgetText(budget)}`,
    rule: DENSE_RULE,
    isPerLayer: true,
    keepsPrompt: !duringPrompt,
    statistics: ["accumulated"],
    budget: (_layer, _layers, promptLength) => keysOf(budget, promptLength),
    keep(view) {
      const keys = view.positions.length;
      const most = keysOf(budget, view.promptLength);
      if (keys <= most || (!duringPrompt && isInsidePrompt(view))) return null;
      const recent = Math.ceil(most / 2);
      const accumulated = statisticOf("heavy-hitters", view, "accumulated");
      return keepLargest(accumulated, most - recent, keys - recent, keys);
    },
  };
}

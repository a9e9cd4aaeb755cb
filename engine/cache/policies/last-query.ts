import { budgetText, keysOf } from "./budget.ts";
import { DENSE_RULE, type ChooserPolicy } from "./policy.ts";
import { checkEviction, isInsidePrompt, keepLargest, statisticOf, type EvictionOptions } from "./best-keys.ts";

/**
 * Keeps the keys that the newest query attends to most, mean over the layer's heads: TOVA (arXiv 2401.06104). The newest key
 * itself always stays; the paper lets it compete. Throws a RangeError for a budget that is none.
 */
export function lastQuery(options: EvictionOptions): ChooserPolicy {
  const { budget, duringPrompt } = checkEviction("last-query", options);
  return {
    name: `last-query:${budgetText(budget)}`,
    rule: DENSE_RULE,
    isPerLayer: true,
    keepsPrompt: !duringPrompt,
    statistics: ["last"],
    budget: (_layer, _layers, promptLength) => keysOf(budget, promptLength),
    keep(view) {
      const keys = view.positions.length;
      const most = keysOf(budget, view.promptLength);
      if (keys <= most || (!duringPrompt && isInsidePrompt(view))) return null;
      return keepLargest(statisticOf("last-query", view, "last"), most - 1, keys - 1, keys);
    },
  };
}

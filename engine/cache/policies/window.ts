import { checkOptions } from "../../options.ts";
import { budgetText, checkBudget, keysOf, type Budget } from "./budget.ts";
import { DENSE_RULE, type CachePolicy } from "./policy.ts";
import { keepEnds } from "./best-keys.ts";

/** What {@link window} takes. */
export interface WindowOptions {
  /** keys to keep; with a share, the prompt itself is read without a window */
  readonly budget: Budget;
}

/**
 * Keeps the last `budget` keys: each query sees itself and the budget - 1 keys before it. Throws a RangeError for a budget that is
 * none.
 */
export function window(options: WindowOptions): CachePolicy {
  checkOptions("window", options, { budget: true });
  const budget = checkBudget("window", options.budget);
  const name = `window:${budgetText(budget)}`;
  if (typeof budget === "object") return keepEnds(name, 0, budget);
  return {
    name,
    rule: { ...DENSE_RULE, keepWindow: budget },
    budget: (_layer, _layers, length) => keysOf(budget, length),
  };
}

import { checkOptions, wholeNumber } from "../../options.ts";
import { budgetText, checkBudget, type Budget } from "./budget.ts";
import { DENSE_RULE, type CachePolicy } from "./policy.ts";
import { keepEnds } from "./best-keys.ts";

/** Sinks that StreamingLLM found to be enough. */
export const DEFAULT_SINKS = 4;

/** What {@link sinks} takes. */
export interface SinksOptions {
  /** keys to keep in all, the first ones among them; with a share, the prompt itself is read with every key */
  readonly budget: Budget;
  /** keys from the beginning that stay; default 4 */
  readonly first?: number | undefined;
}

/**
 * Keeps the `first` keys and the newest others, `budget` in all: attention sinks, StreamingLLM (arXiv 2309.17453). Differs from the
 * paper in one thing: keys stay rotated at their absolute positions, where the paper counts positions inside the cache. Throws a
 * RangeError unless `first` is a whole number >= 0 and the budget is above it.
 */
export function sinks(options: SinksOptions): CachePolicy {
  checkOptions("sinks", options, { budget: true, first: true });
  const { first = DEFAULT_SINKS } = options;
  wholeNumber("sinks", "first", first, 0);
  const budget = checkBudget("sinks", options.budget);
  if (typeof budget === "object") return keepEnds(`sinks:${first},${budgetText(budget)}`, first, budget);
  const newest = budget - first;
  if (newest < 1) {
    throw new RangeError(
      `sinks: the first ${first} keys always stay and need a budget above ${first}; it is ${budget}`,
    );
  }
  return {
    name: `sinks:${first},${newest}`,
    rule: { ...DENSE_RULE, sinks: first, keepWindow: newest },
    budget: () => budget,
  };
}

// How much a policy keeps: a number of keys, or a share of the prompt's.
//
// A share is resolved where the length of the prompt is known: a policy with a share reads the whole prompt and acts from its end on.
// In a conversation the prompt is the first turn's.

import { wholeNumber } from "../../options.ts";

/**
 * Keys to keep: a whole number of at least 1, or a share of the prompt's keys, above 0 and below 1, rounded down to whole keys and
 * at least 1. kvpress' `compression_ratio` is 1 - share.
 */
export type Budget = number | { readonly share: number };

/** Throws a RangeError for a budget that is neither a whole number of at least 1 nor a share above 0 and below 1; returns it. */
export function checkBudget(policy: string, budget: Budget): Budget {
  if (typeof budget === "object" && budget !== null) {
    const { share } = budget;
    if (share > 0 && share < 1 && Object.keys(budget).length === 1) return budget;
    throw new RangeError(`${policy}: the share of its budget must be above 0 and below 1; it is ${String(share)}`);
  }
  if (budget > 0 && budget < 1) {
    throw new RangeError(
      `${policy}: budget must be a whole number of at least 1, or { share: ${budget} } of the prompt's keys; it is ${budget}`,
    );
  }
  return wholeNumber(policy, "budget", budget, 1);
}

/** Keys that a budget is of a prompt of this length, `least` or more. */
export function keysOf(budget: Budget, promptLength: number, least = 1): number {
  return typeof budget === "number" ? budget : Math.max(least, Math.floor(budget.share * promptLength));
}

/** As policies are named and parsed: `512`, `25%`. */
export function budgetText(budget: Budget): string {
  return typeof budget === "number" ? String(budget) : `${Number((100 * budget.share).toPrecision(12))}%`;
}

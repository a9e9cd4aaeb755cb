import { DENSE_RULE, type RulePolicy } from "./policy.ts";

/** Keeps every key: dense attention, in a model with anchors too (what it does without them). */
export function full(): RulePolicy {
  return { name: "full", rule: DENSE_RULE };
}

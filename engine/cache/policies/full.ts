import { UNMASKED, type CachePolicy } from "./policy.ts";

/** Keeps every key: dense attention, in a model with anchors too (what it does without them). */
export function full(): CachePolicy {
  return { name: "full", rule: UNMASKED };
}

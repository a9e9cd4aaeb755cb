// The cache policies: what to keep of the keys and values of a sequence (see policy.ts for the two kinds).

import { anchors } from "./anchors.ts";
import { full } from "./full.ts";
import { heavyHitters } from "./heavy-hitters.ts";
import { keyNorm } from "./key-norm.ts";
import { lastQuery } from "./last-query.ts";
import { pyramidKv } from "./pyramid-kv.ts";
import { sinks } from "./sinks.ts";
import { snapKv } from "./snap-kv.ts";
import { window } from "./window.ts";

/**
 * Makes cache policies, all of one shape: `policies.full()`, `policies.window({ budget: 256 })`, `policies.snapKv({ budget: { share: 0.25 } })`,
 * `policies.anchors()`. A budget is a number of keys or a share of the prompt's: see {@link Budget}.
 */
export const policies = {
  full,
  window,
  sinks,
  anchors,
  heavyHitters,
  lastQuery,
  snapKv,
  pyramidKv,
  keyNorm,
} as const;

export { parsePolicy, POLICY_FORMS } from "./parse.ts";
export type { LineAnchorOptions } from "./anchors.ts";
export type { Budget } from "./budget.ts";
export type { KeyNormOptions } from "./key-norm.ts";
export type { AttentionStatistic, CachePolicy, ChooserPolicy, KeyView, RulePolicy } from "./policy.ts";
export type { PyramidKvOptions } from "./pyramid-kv.ts";
export type { EvictionOptions } from "./best-keys.ts";
export type { SinksOptions } from "./sinks.ts";
export type { SnapKvOptions } from "./snap-kv.ts";
export type { WindowOptions } from "./window.ts";

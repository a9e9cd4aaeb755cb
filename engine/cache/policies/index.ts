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

/** Makes cache policies: `policies.window(256)`, `policies.sinks(4, 256)`, `policies.anchors()`, ... */
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
export type { KeyNormOptions } from "./key-norm.ts";
export { UNMASKED, type AttentionStatistic, type CachePolicy, type KeyView } from "./policy.ts";
export { pyramidSchedule, type PyramidKvOptions } from "./pyramid-kv.ts";
export type { EvictionOptions } from "./selection.ts";
export type { SnapKvOptions } from "./snap-kv.ts";

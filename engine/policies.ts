// `kedge/policies`: what goes with cache policies: policies as text, choosers of anchors, and the types for a policy of one's own.

export {
  parsePolicy,
  policies,
  POLICY_FORMS,
  type AttentionStatistic,
  type Budget,
  type CachePolicy,
  type ChooserPolicy,
  type EvictionOptions,
  type KeyNormOptions,
  type KeyView,
  type LineAnchorOptions,
  type PyramidKvOptions,
  type RulePolicy,
  type SinksOptions,
  type SnapKvOptions,
  type WindowOptions,
} from "./cache/policies/index.ts";
export {
  anchorsAtLineBreaks,
  anchorsEvery,
  anchorsWhere,
  anchorsWithIds,
  lineBreakTokenIds,
  type LineAnchorChooser,
} from "./attention/anchors.ts";
export type { VisibilityRule } from "./attention/visibility.ts";

// `kedge/anchoring`: what goes with Selective Prompt Anchoring: tags and arguments as anchors, the search for a strength, and the types of
// strengths and masks.

export type { Schedule } from "./prompt-anchoring/contrast.ts";
export type { ExactComparison, LogitDifference } from "./prompt-anchoring/exact.ts";
export { wilsonInterval, type Interval } from "./prompt-anchoring/interval.ts";
export type { StandIn } from "./prompt-anchoring/mask.ts";
export { DEFAULT_STRENGTH } from "./prompt-anchoring/options.ts";
export { parseAnchorArgument, type Span } from "./prompt-anchoring/spans.ts";
export {
  byNeglect,
  type NeglectOptions,
  type Strength,
  type StrengthFunction,
  type StrengthStep,
} from "./prompt-anchoring/strength.ts";
export { escapeAnchorTags, hasAnchorTags, parseAnchorTags } from "./prompt-anchoring/tags.ts";
export {
  splitTasks,
  tuneStrength,
  type TuneOptions,
  type TuneResult,
  type TuneState,
} from "./prompt-anchoring/tune.ts";

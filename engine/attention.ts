// `kedge/attention`: what attention looks like: dilution, sparsity, which classes of tokens draw it; and what heads and layers do: the logit
// lens, attribution of logits, scores of heads, rollout.

export { attentionDilution } from "./attention/attention-share.ts";
export { gini, topMass, sparsityOf, type Sparsity } from "./attention/sparsity.ts";
export type { Summary } from "./attention/summary.ts";
export {
  massByClass,
  tokenClass,
  TOKEN_CLASSES,
  type ClassShares,
  type TokenClass,
} from "./attention/token-classes.ts";
export {
  studyAttention,
  type AttentionStudy,
  type AttentionStudyOptions,
  type LayerStudy,
} from "./model/attention-study.ts";
export {
  attributeLogit,
  type LayerAttribution,
  type LogitAttribution,
  type LogitAttributionOptions,
} from "./inside/logit-attribution.ts";
export { scoreHeads, type HeadScores, type HeadScoresOptions, type LayerHeadScores } from "./inside/head-scores.ts";
export {
  logitLens,
  type LensPlace,
  type LikelyToken,
  type LogitLens,
  type LogitLensOptions,
} from "./inside/logit-lens.ts";
export { attentionRollout, type AttentionRollout, type RolloutOptions } from "./inside/rollout.ts";
export type { TokenText } from "./inside/token-text.ts";

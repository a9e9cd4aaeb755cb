// `kedge/attention`: what attention looks like: dilution, sparsity, and which classes of tokens draw it.

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

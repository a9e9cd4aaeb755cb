// `kedge`: models that generate, show what is inside and hold on to their prompt. Explicit named exports, nothing else. Devices, timing
// and the study of attention have entries of their own (devices.ts, timing.ts, attention.ts).

export {
  parsePolicy,
  policies,
  POLICY_FORMS,
  type AttentionStatistic,
  type Budget,
  type CachePolicy,
  type ChooserPolicy,
  type EvictionOptions,
  type KeyView,
  type LineAnchorOptions,
  type RulePolicy,
  type SnapKvOptions,
} from "./cache/policies/index.ts";
export type { CacheBytes, CacheStatistics } from "./cache/bytes.ts";
export {
  anchorsAtLineBreaks,
  anchorsEvery,
  anchorsWhere,
  anchorsWithIds,
  lineBreakTokenIds,
  type LineAnchorChooser,
} from "./attention/anchors.ts";
export { DeviceError, type Device } from "./devices/device.ts";
export type { DeviceChoice, DeviceOptions } from "./devices/open.ts";
export { ChatSession, type ChatSessionOptions } from "./model/chat.ts";
export type { FullContext } from "./model/fit-messages.ts";
export { configAsStored } from "./model/config-as-stored.ts";
export { countParameters, estimate, type Estimate, type ParameterCount } from "./model/estimate.ts";
export type { ForwardOptions, ForwardResult, Hook, HookedTensor } from "./model/forward.ts";
export type { KernelCall } from "./model/pass.ts";
export { loadModel, type LoadOptions, type ModelSource } from "./model/load-model.ts";
export type { LoadProgress } from "./model/load-progress.ts";
export type { CheckedGeneration, Model, ModelMemory, Prompt } from "./model/model.ts";
export type { BatchOptions, ModelGenerateOptions, ScoreOptions, TurnOptions } from "./model/model-options.ts";
export { quantizeModel, type QuantizedModel, type QuantizeModelOptions } from "./model/quantize-model.ts";
export type { CapturedTensor } from "./model/captured.ts";
export { tapNames } from "./model/taps.ts";
export { collect, type Generation, type LogitsContext, type LogitsHook } from "./generate/generate.ts";
export type { ChosenLogProb, TokenLogProb } from "./generate/log-probs.ts";
export type { Piece } from "./generate/rows.ts";
export type { FinishReason, StopState } from "./generate/stop.ts";
export type { Score } from "./generate/score.ts";
export type { AnchoredMessage } from "./prompt-anchoring/chat-anchors.ts";
export type { Schedule } from "./prompt-anchoring/contrast.ts";
export { wilsonInterval, type Interval } from "./prompt-anchoring/interval.ts";
export type { ExactComparison } from "./prompt-anchoring/exact.ts";
export type { StandIn } from "./prompt-anchoring/mask.ts";
export { DEFAULT_STRENGTH, type AnchoringOptions, type ContrastOptions } from "./prompt-anchoring/options.ts";
export type { PromptWithAnchors } from "./prompt-anchoring/plan.ts";
export { parseAnchorArgument, type PromptAnchor, type Span } from "./prompt-anchoring/spans.ts";
export {
  byNeglect,
  type NeglectOptions,
  type Strength,
  type StrengthFunction,
  type StrengthStep,
} from "./prompt-anchoring/strength.ts";
export { escapeAnchorTags, hasAnchorTags, parseAnchorTags } from "./prompt-anchoring/tags.ts";
export { tuneStrength, type TuneOptions, type TuneResult, type TuneState } from "./prompt-anchoring/tune.ts";
export {
  FormatError,
  removeStoredModel,
  storedModels,
  UnsupportedError,
  type StoreChoice,
  type StoredModel,
} from "../loaders/index.ts";

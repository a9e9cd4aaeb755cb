// `kedge`: models that generate, show what is inside and hold on to their prompt. Explicit named exports, nothing else. Devices, timing,
// the study of attention, and what goes with policies and prompt anchors have entries of their own (devices.ts, timing.ts, attention.ts,
// policies.ts, anchoring.ts).

export { policies, type CachePolicy } from "./cache/policies/index.ts";
export type { CacheBytes, CacheStatistics } from "./cache/bytes.ts";
export { DeviceError, type Device } from "./devices/device.ts";
export { ChatSession, type ChatSessionOptions } from "./model/chat.ts";
export type { FullContext } from "./model/fit-messages.ts";
export { configAsStored } from "./model/config-as-stored.ts";
export { countParameters, estimate, type Estimate, type ParameterCount } from "./model/estimate.ts";
export type {
  ForwardBatchOptions,
  ForwardOptions,
  ForwardPrompt,
  ForwardResult,
  GivenTensor,
  Hook,
  HookedTensor,
} from "./model/forward.ts";
export { loadModel, type LoadOptions, type ModelSource } from "./model/load-model.ts";
export type { LoadProgress } from "./model/load-progress.ts";
export type { CheckedGeneration, Model, ModelMemory } from "./model/model.ts";
export type { BatchOptions, ModelGenerateOptions, ScoreOptions, TurnOptions } from "./model/model-options.ts";
export type { Prompt } from "./model/prompts.ts";
export { quantizeModel, type QuantizedModel, type QuantizeModelOptions } from "./model/quantize-model.ts";
export type { CapturedTensor } from "./model/captured.ts";
export { tapNames } from "./model/taps.ts";
export type { UnembedOptions } from "./model/unembed.ts";
export { collect, type Generation, type LogitsContext, type LogitsHook } from "./generate/generate.ts";
export type { ChosenLogProb, TokenLogProb } from "./generate/log-probs.ts";
export type { Piece } from "./generate/rows.ts";
export type { FinishReason, StopState } from "./generate/stop.ts";
export type { Score } from "./generate/score.ts";
export type { AnchoredMessage } from "./prompt-anchoring/chat-anchors.ts";
export type { AnchoringOptions, ContrastOptions } from "./prompt-anchoring/options.ts";
export type { BatchPrompt } from "./model/prompts.ts";
export type { PromptWithAnchors } from "./prompt-anchoring/plan.ts";
export type { PromptAnchor } from "./prompt-anchoring/spans.ts";
export { byNeglect, type Strength } from "./prompt-anchoring/strength.ts";
export { escapeAnchorTags } from "./prompt-anchoring/tags.ts";
export {
  FormatError,
  removeStoredModel,
  storedModels,
  UnsupportedError,
  type StoreChoice,
  type StoredModel,
} from "../loaders/index.ts";

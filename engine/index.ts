// kedge: the public API. Explicit named exports, nothing else.

export { chooseDevice, openDevice, type Choice, type DeviceChoice, type DeviceOptions } from "./devices/open.ts";
export {
  DeviceError,
  type Demotion,
  type Device,
  type DeviceMemory,
  type DeviceName,
  type Executable,
  type Matrix,
  type MatrixSource,
  type Step,
  type Tensor,
} from "./devices/device.ts";
export { ProgramBuilder, variable, type Call, type Program, type Value, type Variable } from "./devices/program.ts";
export { selfTest, type SelfTestResult } from "./devices/self-test.ts";
export { probeWebGpu, type AdapterFacts, type AdapterOptions, type Probe } from "./devices/webgpu/probe.ts";
export {
  parsePolicy,
  policies,
  POLICY_FORMS,
  type LineAnchorOptions,
  type AttentionStatistic,
  type CachePolicy,
  type KeyView,
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
export { attentionDilution } from "./attention/attention-share.ts";
export { gini, massOfLargest, sparsityOf, type Sparsity } from "./attention/sparsity.ts";
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
export { ChatSession, type ChatSessionOptions, type FullContext, type TurnOptions } from "./model/chat.ts";
export { configAsStored } from "./model/config-as-stored.ts";
export { countParameters, estimate, type Estimate, type ParameterCount } from "./model/estimate.ts";
export type { ForwardOptions, ForwardResult, Hook, HookedTensor } from "./model/forward.ts";
export { loadModel, type LoadOptions, type LoadProgress, type ModelSource } from "./model/load-model.ts";
export type { CheckedGeneration, Model, ModelGenerateOptions, ModelMemory, Prompt } from "./model/model.ts";
export { quantizeModel, type QuantizedModel, type QuantizeModelOptions } from "./model/quantize-model.ts";
export type { CapturedTensor } from "./model/captured.ts";
export { tapNames } from "./model/taps.ts";
export {
  collect,
  type GenerateOptions,
  type Generation,
  type LogitsContext,
  type LogitsHook,
} from "./generate/generate.ts";
export type { ChosenLogProb, TokenLogProb } from "./generate/log-probs.ts";
export type { Piece } from "./generate/rows.ts";
export type { FinishReason, StopState } from "./generate/stop.ts";
export type { Score } from "./generate/score.ts";
export type { AnchoredMessage } from "./prompt-anchoring/chat-anchors.ts";
export type { Schedule } from "./prompt-anchoring/contrast.ts";
export type { ExactComparison } from "./prompt-anchoring/exact.ts";
export type { StandIn } from "./prompt-anchoring/mask.ts";
export { DEFAULT_STRENGTH, type AnchoringOptions, type ContrastOptions } from "./prompt-anchoring/options.ts";
export type { PromptWithAnchors } from "./prompt-anchoring/plan.ts";
export { parseAnchorArgument, type PromptAnchor, type Span } from "./prompt-anchoring/spans.ts";
export { byNeglect, type Strength, type StrengthFunction } from "./prompt-anchoring/strength.ts";
export { escapeAnchorTags, hasAnchorTags, parseAnchorTags } from "./prompt-anchoring/tags.ts";
export { tuneStrength, type TuneOptions, type TuneResult, type TuneState } from "./prompt-anchoring/tune.ts";
export type { Clock } from "./timing/repeated-calls.ts";
export { measurePeak, type Peak, type PeakOptions } from "./timing/peak.ts";
export { spreadOf, type Spread } from "./timing/spread.ts";
export { STREAM_BYTES, timeKernel, type KernelTiming, type TimeKernelOptions } from "./timing/time-kernel.ts";
export { implementationsOn } from "./devices/implementations.ts";
export type { DeviceIdentity, MeasuredChoice, MeasuredChoices } from "./devices/measured-choices.ts";
export type { ChoiceRecord, KernelChoice } from "./tuning/kept-choices.ts";
export {
  forgetKernelChoices,
  keptKernelChoices,
  recallKernelChoices,
  type KeptChoices,
  type TuneMode,
} from "./tuning/measured.ts";
export type { KernelTuning, TuneKernelsOptions } from "./tuning/tune-kernels.ts";
export { FormatError, UnsupportedError } from "../loaders/index.ts";

// The options of a model's methods by name, for `checkOptions`. The compiler holds each list against its type.

import type { AnchoringOptions } from "../prompt-anchoring/options.ts";
import type { OptionNames } from "../options.ts";
import type { TuneKernelsOptions } from "../tuning/tune-kernels.ts";
import type { AttentionStudyOptions } from "./attention-study.ts";
import type { TurnOptions } from "./chat.ts";
import type { ForwardOptions } from "./forward.ts";
import type { ModelGenerateOptions, ScoreOptions } from "./model.ts";

/** Options of a turn of a chat. */
export const TURN_OPTIONS: OptionNames<TurnOptions> = {
  temperature: true,
  topK: true,
  topP: true,
  minP: true,
  repetitionPenalty: true,
  frequencyPenalty: true,
  presencePenalty: true,
  seed: true,
  logitBias: true,
  stop: true,
  stopTokens: true,
  endTokens: true,
  ignoreEndTokens: true,
  maxTokens: true,
  stopWhen: true,
  logProbs: true,
  logitsHook: true,
  signal: true,
  anchoring: true,
  contrast: true,
  onNote: true,
};

/** Options of `generate`, `generateBatch` and `complete`. */
export const GENERATE_OPTIONS: OptionNames<ModelGenerateOptions> = { ...TURN_OPTIONS, samples: true, cache: true };

/** Options of Selective Prompt Anchoring. */
export const ANCHORING_OPTIONS: OptionNames<AnchoringOptions> = {
  strength: true,
  anchors: true,
  schedule: true,
  mode: true,
  standIn: true,
  maskToken: true,
  collapse: true,
  recentQueries: true,
  onNote: true,
};

/** Options of `score`. */
export const SCORE_OPTIONS: OptionNames<ScoreOptions> = { cache: true, signal: true };

/** Options of `forward`. */
export const FORWARD_OPTIONS: OptionNames<ForwardOptions> = {
  capture: true,
  hooks: true,
  logits: true,
  cache: true,
  signal: true,
};

/** Options of `studyAttention`. */
export const STUDY_OPTIONS: OptionNames<AttentionStudyOptions> = {
  promptLength: true,
  dilutionLayers: true,
  cache: true,
  signal: true,
};

/** Options of `tuneKernels`. */
export const TUNE_KERNELS_OPTIONS: OptionNames<TuneKernelsOptions> = {
  isQuick: true,
  allowApproximate: true,
  known: true,
  secondsPerRun: true,
  signal: true,
  onProgress: true,
  now: true,
};

// What a model's methods take, and the names of that for `checkOptions`: the compiler holds each list against its type.

import type { CachePolicy } from "../cache/policies/index.ts";
import type { GenerateOptions } from "../generate/generate.ts";
import type { OptionNames } from "../options.ts";
import type { AnchoringOptions, ContrastOptions } from "../prompt-anchoring/options.ts";

/** How a model generates: the sampler's and the stop rules' options, and which keys are kept. */
export interface ModelGenerateOptions extends GenerateOptions {
  /** which keys stay in the cache; the model's own way by default (all of them, or its anchors) */
  readonly cache?: CachePolicy | undefined;
  /** Selective Prompt Anchoring: hold on to parts of the prompt */
  readonly anchoring?: AnchoringOptions | undefined;
  /** decode against another prompt; not together with `anchoring` */
  readonly contrast?: ContrastOptions | undefined;
  /** called with each note on this run, one sentence each */
  readonly onNote?: ((note: string) => void) | undefined;
}

/** Options of a batch. */
export interface BatchOptions extends ModelGenerateOptions {
  /**
   * Prompts at a time: when the last row of a prompt ends the next prompt takes its place. All of a list by default; 8 of prompts that
   * come one after the other.
   */
  readonly rows?: number | undefined;
}

/** Options of a turn: those of `generate`, without `cache`, which is the conversation's, and `samples`, which is 1. */
export type TurnOptions = Omit<ModelGenerateOptions, "cache" | "samples">;

/** How a text is scored. */
export interface ScoreOptions {
  /** which keys stay in the cache; the model's own way by default */
  readonly cache?: CachePolicy | undefined;
  /** return this many of the likeliest tokens in each token's place, 1 or more; none by default. Whole rows of logits are read for them. */
  readonly alternatives?: number | undefined;
  /**
   * Tokens of the prompt, which are not scored. A policy that chooses keys acts from there on. The first token behind the prompt is scored by
   * the prompt's last row, before the policy drops anything, as in generation.
   */
  readonly promptLength?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

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

/** Options of `generate` and `complete`. */
export const GENERATE_OPTIONS: OptionNames<ModelGenerateOptions> = { ...TURN_OPTIONS, samples: true, cache: true };

/** Options of one prompt of a batch. */
const { signal: _signal, ...PROMPT_NAMES } = GENERATE_OPTIONS;
export const PROMPT_OPTIONS: OptionNames<Omit<ModelGenerateOptions, "signal">> = PROMPT_NAMES;

/** Options of `generateBatch`. */
export const BATCH_OPTIONS: OptionNames<BatchOptions> = { ...GENERATE_OPTIONS, rows: true };

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

/** Options of `compareWithExact`. */
export type ExactOptions = Omit<AnchoringOptions, "strength" | "mode" | "schedule"> & {
  readonly signal?: AbortSignal | undefined;
};

export const EXACT_OPTIONS: OptionNames<ExactOptions> = {
  anchors: true,
  standIn: true,
  maskToken: true,
  collapse: true,
  recentQueries: true,
  onNote: true,
  signal: true,
};

/** Options of `score`. */
export const SCORE_OPTIONS: OptionNames<ScoreOptions> = {
  cache: true,
  alternatives: true,
  promptLength: true,
  signal: true,
};

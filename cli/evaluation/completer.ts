// Completions of tasks by a model, with a cache policy, with anchors held or not: several tasks are rows of one batch at a time, and
// when one is complete the next takes its place.

import {
  byNeglect,
  type BatchPrompt,
  type CachePolicy,
  type Model,
  type BatchOptions,
  type AnchoringOptions,
} from "kedge";
import type { Complete, CompleteUnits } from "./run.ts";
import { completionEnd, type Task } from "./task.ts";
import { promptOfTask, type AnchorGrouping } from "./task-prompt.ts";

/** How tasks are completed: plain JSON but for the policy, of which the name says all. */
export interface Decoding {
  readonly cache?: CachePolicy | undefined;
  /** strength with which each task's anchors are held; 1 is the plain model */
  readonly strength: number;
  readonly grouping: AnchorGrouping;
  /** the strength grows from 1 as a group is neglected (`byNeglect`) */
  readonly byNeglect: boolean;
  /** how the strength depends on the step, and what stands in for a masked word: the paper's by default */
  readonly variant?: Pick<AnchoringOptions, "schedule" | "standIn" | "collapse"> | undefined;
  readonly samples: number;
  readonly temperature: number;
  readonly topP?: number | undefined;
  readonly seed: number;
  readonly maxTokens: number;
}

/** Plain greedy decoding. */
export const PLAIN: Decoding = {
  strength: 1,
  grouping: "one",
  byNeglect: false,
  samples: 1,
  temperature: 0,
  seed: 0,
  maxTokens: 256,
};

/** The settings that the results depend on, as JSON for results files. */
export function decodingSettings({
  cache,
  variant,
  ...rest
}: Decoding): Record<string, string | number | boolean | null> {
  const common = { ...rest, topP: rest.topP ?? null, cache: cache?.name ?? "model" };
  return variant === undefined ? common : { ...common, variant: JSON.stringify(variant) };
}

/** The callbacks of {@link modelCompleter}. */
export interface CompleterListeners {
  /** how many more tokens were written, in which way */
  readonly onTokens?: ((count: number, way: number) => void) | undefined;
  /** notes, one sentence each; the same for each batch */
  readonly onNote?: ((note: string) => void) | undefined;
}

/** A completer for `evaluate`. Tasks that name no anchors are completed plainly, whatever the strength. */
export function modelCompleter(model: Model, decoding: Decoding, listeners: CompleterListeners = {}): Complete {
  const complete = waysCompleter(model, [decoding], listeners);
  return (tasks, options) =>
    complete(
      tasks.map((task) => ({ task, way: 0 })),
      options,
    );
}

/**
 * A completer for `evaluateWays`: unit `way` is decoded as `decodings[way]`. All are rows of one batch, in which the ways of one task
 * share what is read of its prompt; policies that cannot share it, nor steps, come one after the other, so that steps stay full.
 */
export function waysCompleter(
  model: Model,
  decodings: readonly Decoding[],
  { onTokens, onNote }: CompleterListeners = {},
): CompleteUnits {
  // The first note of anchoring is the stand-in, the same for all tasks of a way; the others are of single tokens of single tasks.
  const told = new Set<Decoding>();
  const noteOf = (decoding: Decoding) => (note: string) => {
    if (!told.has(decoding)) onNote?.(note);
    told.add(decoding);
  };
  return async function* complete(given, { rows, signal }) {
    const kinds = decodings.map(({ cache }) => kindOf(cache));
    const order = [...new Set(kinds)];
    const units = order.flatMap((kind) => given.filter(({ way }) => kinds[way] === kind));
    const options: BatchOptions = {
      rows,
      signal,
      onNote,
      stopWhen: ({ text, promptIndex }) => completionEnd(units[promptIndex]!.task.stop, text) !== undefined,
    };
    const prompts = units.map(({ task, way }) => {
      const decoding = decodings[way]!;
      return promptFor(model, task, decoding, noteOf(decoding));
    });
    const samplesOf = (index: number) => decodings[units[index]!.way]!.samples;
    const texts = units.map((_, i) => Array.from({ length: samplesOf(i) }, () => ""));
    const counts = units.map((_, i) => Array.from({ length: samplesOf(i) }, () => 0));
    const open = units.map((_, i) => samplesOf(i));
    for await (const piece of model.generateBatch(prompts, options)) {
      const { promptIndex, sampleIndex, text, tokens, finishReason } = piece;
      const unit = units[promptIndex]!;
      texts[promptIndex]![sampleIndex]! += text;
      counts[promptIndex]![sampleIndex]! += tokens.length;
      onTokens?.(tokens.length, unit.way);
      if (finishReason !== undefined) open[promptIndex]!--;
      if (open[promptIndex] === 0) yield { ...unit, texts: texts[promptIndex]!, tokens: counts[promptIndex]! };
    }
  };
}

/** The prompt of a task with the options of its decoding. */
function promptFor(model: Model, task: Task, decoding: Decoding, onNote: (note: string) => void): BatchPrompt {
  const { cache, strength, samples, temperature, topP, seed, maxTokens } = decoding;
  const options = { cache, samples, temperature, topP, seed, maxTokens };
  const prompt = promptOfTask(task, strength === 1 ? undefined : decoding.grouping, model.tokenizer);
  if (!prompt.isAnchored) return { ...prompt.prompt, options };
  const anchoring = { ...decoding.variant, strength: strengthOf(decoding), onNote };
  return { ...prompt.prompt, options: { ...options, anchoring } };
}

/** Equal for policies that read prompts alike. */
function kindOf(cache: CachePolicy | undefined): string {
  if (!cache || Object.keys(cache.rule ?? { own: 1 }).length === 0) return "model";
  const { rule, keep, keepsPrompt = false, isPerLayer = false, statistics = [], observedQueries } = cache;
  const own = keep && !keepsPrompt ? cache.name : "";
  return JSON.stringify([rule, isPerLayer, statistics, observedQueries, own]);
}

function strengthOf({ strength, byNeglect: isByNeglect }: Decoding) {
  return isByNeglect ? byNeglect({ strength }) : strength;
}

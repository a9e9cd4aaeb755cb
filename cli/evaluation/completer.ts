// Completions of tasks by a model, with a cache policy, with anchors held or not: several tasks are rows of one batch at a time, and
// when one is complete the next takes its place.

import {
  byNeglect,
  escapeAnchorTags,
  type PromptAnchor,
  type PromptWithAnchors,
  type CachePolicy,
  type Model,
  type BatchOptions,
  type AnchoringOptions,
} from "kedge";
import type { Complete } from "./run.ts";
import { completionEnd, type Task, type TextRange } from "./task.ts";

/**
 * How anchored parts of a prompt are put into groups: all in one, one a clause (what lies between `.`, `,` and `;`), or one a sentence (between
 * `.`, `!` and `?`).
 */
export type AnchorGrouping = "one" | "clauses" | "sentences";

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
  /** how many more tokens were written */
  readonly onTokens?: ((count: number) => void) | undefined;
  /** notes, one sentence each; the same for each batch */
  readonly onNote?: ((note: string) => void) | undefined;
}

/** A completer for `evaluate`. Tasks that name no anchors are completed plainly, whatever the strength. */
export function modelCompleter(
  model: Model,
  decoding: Decoding,
  { onTokens, onNote }: CompleterListeners = {},
): Complete {
  const { cache, strength, samples, temperature, topP, seed, maxTokens } = decoding;
  // The first note of anchoring is the stand-in, the same for all tasks; the others are of single tokens of single tasks.
  let isStandInTold = false;
  const onAnchoringNote = (note: string) => {
    if (!isStandInTold) onNote?.(note);
    isStandInTold = true;
  };
  return async function* complete(tasks, { rows, signal }) {
    const anchors = new Map(tasks.map((task) => [task, strength === 1 ? [] : anchorsOf(task, decoding.grouping)]));
    for (const isAnchored of [false, true]) {
      const chosen = tasks.filter((task) => anchors.get(task)!.length > 0 === isAnchored);
      if (chosen.length === 0) continue;
      const options: BatchOptions = {
        rows,
        samples,
        temperature,
        topP,
        seed,
        maxTokens,
        signal,
        onNote,
        stopWhen: ({ text, promptIndex }) => completionEnd(chosen[promptIndex]!.stop, text) !== undefined,
        cache,
        anchoring: isAnchored
          ? { ...decoding.variant, strength: strengthOf(decoding), onNote: onAnchoringNote }
          : undefined,
      };
      const prompts = chosen.map((task): string | PromptWithAnchors => {
        // Tags in a task are text.
        return isAnchored ? { prompt: escapeAnchorTags(task.prompt), anchors: anchors.get(task)! } : task.prompt;
      });
      const texts = chosen.map(() => Array.from({ length: samples }, () => ""));
      const counts = chosen.map(() => Array.from({ length: samples }, () => 0));
      const open = chosen.map(() => samples);
      for await (const piece of model.generateBatch(prompts, options)) {
        const { promptIndex, sampleIndex, text, tokens, finishReason } = piece;
        texts[promptIndex]![sampleIndex]! += text;
        counts[promptIndex]![sampleIndex]! += tokens.length;
        onTokens?.(tokens.length);
        if (finishReason !== undefined) open[promptIndex]!--;
        if (open[promptIndex] === 0) {
          yield { task: chosen[promptIndex]!, texts: texts[promptIndex]!, tokens: counts[promptIndex]! };
        }
      }
    }
  };
}

function strengthOf({ strength, byNeglect: isByNeglect }: Decoding) {
  return isByNeglect ? byNeglect({ strength }) : strength;
}

/** The anchors of a task, by group. */
function anchorsOf({ prompt, anchors }: Task, grouping: AnchorGrouping): PromptAnchor[] {
  const groups = grouping === "one" ? [anchors] : partsOf(prompt, anchors, PART_ENDS[grouping]);
  return groups.flatMap((ranges, group) =>
    ranges.map(({ begin, end }): PromptAnchor => ({ characters: { begin, end }, group: String(group) })),
  );
}

const PART_ENDS = { clauses: /[.,;]/, sentences: /[.!?]/ } as const;

/** The clauses of the anchored text: each ends with `.`, `,` or `;`, and may go on from one range to the next. */
export function clausesOf(prompt: string, anchors: readonly TextRange[]): TextRange[][] {
  return partsOf(prompt, anchors, PART_ENDS.clauses);
}

/** The parts of the anchored text that each end with a character of this kind before white space or the range's end. */
function partsOf(prompt: string, anchors: readonly TextRange[], ends: RegExp): TextRange[][] {
  const parts: TextRange[][] = [[]];
  for (const { begin, end } of anchors) {
    let from = begin;
    for (let at = begin; at < end; at++) {
      const isEnd = ends.test(prompt[at]!) && (at + 1 === end || /\s/.test(prompt[at + 1]!));
      if (!isEnd && at + 1 < end) continue;
      const skipped = prompt.slice(from, at + 1).search(/\S/);
      if (skipped >= 0) parts.at(-1)!.push({ begin: from + skipped, end: at + 1 });
      from = at + 1;
      if (isEnd) parts.push([]);
    }
  }
  return parts.filter((part) => part.length > 0);
}

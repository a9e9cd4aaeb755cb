// Completions of tasks by a model: several tasks decoded as one batch, with a cache policy, with anchors held or not.

import {
  byNeglect,
  escapeAnchorTags,
  type Anchor,
  type AnchoredPrompt,
  type CachePolicy,
  type Model,
  type ModelGenerateOptions,
} from "kedge";
import { completionEnd, type Task, type TextRange } from "./task.ts";

/** How anchored parts of a prompt are put into groups: all in one, or one a clause (what lies between `.`, `,` and `;`). */
export type AnchorGrouping = "one" | "clauses";

/** How tasks are completed: plain JSON but for the policy, of which the name says all. */
export interface Decoding {
  readonly cache?: CachePolicy | undefined;
  /** strength with which each task's anchors are held; 1 is the plain model */
  readonly strength: number;
  readonly grouping: AnchorGrouping;
  /** the strength grows from 1 as a group is neglected (`byNeglect`) */
  readonly byNeglect: boolean;
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

/** What decides the results, as JSON: for results files. */
export function decodingSettings({ cache, ...rest }: Decoding): Record<string, string | number | boolean | null> {
  return { ...rest, topP: rest.topP ?? null, cache: cache?.name ?? "model" };
}

/** A completer for `evaluate`; `onTokens` is told how many tokens were written. */
export function modelCompleter(model: Model, decoding: Decoding, onTokens: (count: number) => void = () => undefined) {
  return async (batch: readonly Task[], signal?: AbortSignal): Promise<string[][]> => {
    const texts = batch.map(() => Array.from({ length: decoding.samples }, () => ""));
    const isAnchored = decoding.strength !== 1;
    const prompts = batch.map((task) => (isAnchored ? anchoredPrompt(task, decoding.grouping) : task.prompt));
    const { cache, samples, temperature, topP, seed, maxTokens } = decoding;
    const options: ModelGenerateOptions = {
      samples,
      temperature,
      topP,
      seed,
      maxTokens,
      signal,
      stopWhen: ({ text, prompt }) => completionEnd(batch[prompt]!.stop, text) !== undefined,
      ...(cache && { cache }),
      ...(isAnchored && { anchoring: { strength: strengthOf(decoding) } }),
    };
    for await (const piece of model.generateBatch(prompts, options)) {
      texts[piece.prompt]![piece.sample]! += piece.text;
      onTokens(piece.tokens.length);
    }
    return texts;
  };
}

function strengthOf({ strength, byNeglect: isByNeglect }: Decoding) {
  return isByNeglect ? byNeglect({ strength }) : strength;
}

/** A task's prompt with its anchors; what looks like a tag in it is text. */
function anchoredPrompt({ prompt, anchors }: Task, grouping: AnchorGrouping): AnchoredPrompt {
  const groups = grouping === "one" ? [anchors] : clausesOf(prompt, anchors);
  return {
    prompt: escapeAnchorTags(prompt),
    anchors: groups.flatMap((ranges, group) =>
      ranges.map(({ begin, end }): Anchor => ({ characters: { begin, end }, group: String(group) })),
    ),
  };
}

/** The clauses of the anchored text: each ends with `.`, `,` or `;`, and may go on from one range to the next. */
export function clausesOf(prompt: string, anchors: readonly TextRange[]): TextRange[][] {
  const clauses: TextRange[][] = [[]];
  for (const { begin, end } of anchors) {
    let from = begin;
    for (let at = begin; at < end; at++) {
      const isEnd = /[.,;]/.test(prompt[at]!) && (at + 1 === end || /\s/.test(prompt[at + 1]!));
      if (!isEnd && at + 1 < end) continue;
      const skipped = prompt.slice(from, at + 1).search(/\S/);
      if (skipped >= 0) clauses.at(-1)!.push({ begin: from + skipped, end: at + 1 });
      from = at + 1;
      if (isEnd) clauses.push([]);
    }
  }
  return clauses.filter((clause) => clause.length > 0);
}

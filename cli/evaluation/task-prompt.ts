// What a model is given of a task: its prompt as it is, or as a message of a chat; and the anchors in it, by group.

import { escapeAnchorTags, type BatchPrompt, type PromptAnchor } from "kedge";
import type { Tokenizer } from "kedge/loaders";
import { isAsked, type AskedTask, type Task, type TextRange } from "./task.ts";

/**
 * How anchored parts of a prompt are put into groups: all in one, one a clause (what lies between `.`, `,` and `;`), or one a sentence (between
 * `.`, `!` and `?`).
 */
export type AnchorGrouping = "one" | "clauses" | "sentences";

/** A prompt for `generateBatch`, and whether it has anchors. */
export interface TaskPrompt {
  readonly prompt: Pick<BatchPrompt, "prompt" | "anchors">;
  readonly isAnchored: boolean;
}

/** The parts of a tokenizer that say which texts are special tokens. */
export type SpecialTokens = Pick<Tokenizer, "specialTokenIds" | "idToToken">;

/**
 * The prompt of a task, plain or with its anchors by group. A task that is asked (see `askedTask`) becomes the message of a chat, in
 * which nothing is a tag or a special token, whatever the task's text looks like.
 */
export function promptOfTask(
  task: Task,
  grouping: AnchorGrouping | undefined,
  specialTokens: SpecialTokens | null,
): TaskPrompt {
  const anchors = grouping === undefined ? [] : anchorsOf(task, grouping);
  if (isAsked(task)) return askedPrompt(task, anchors, specialTokens);
  // Tags in a task are text.
  if (anchors.length === 0) return { prompt: { prompt: task.prompt }, isAnchored: false };
  return { prompt: { prompt: escapeAnchorTags(task.prompt), anchors: anchors.map(anchorOf) }, isAnchored: true };
}

interface GroupedRange extends TextRange {
  readonly group: string;
}

function anchorOf({ begin, end, group }: GroupedRange): PromptAnchor {
  return { characters: { begin, end }, group };
}

/** The anchors of a task, by group. */
function anchorsOf({ prompt, anchors }: Task, grouping: AnchorGrouping): GroupedRange[] {
  const groups = grouping === "one" ? [anchors] : partsOf(prompt, anchors, partEnds[grouping]);
  return groups.flatMap((ranges, group) => ranges.map((range) => ({ ...range, group: String(group) })));
}

const partEnds = { clauses: /[.,;]/, sentences: /[.!?]/ } as const;

/**
 * The parts of the anchored text that each end with a character of this kind before white space or the range's end; one may go on from one
 * range to the next.
 */
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

const languageNames = { javascript: "JavaScript", python: "Python" } as const;

/** The message that asks for a task's function, with the task's prompt in a fence. */
function askedPrompt(
  task: AskedTask,
  anchors: readonly GroupedRange[],
  specialTokens: SpecialTokens | null,
): TaskPrompt {
  const name = languageNames[task.language];
  const wish = task.stop.hasSignature
    ? `Complete this ${name} function.`
    : `Write the ${name} function that this docstring describes.`;
  const fence = "`".repeat(1 + Math.max(2, ...[...task.prompt.matchAll(/`+/g)].map(([ticks]) => ticks.length)));
  const opening = `${wish} Answer with the whole function, and what it needs, in one block of code.\n\n${fence}${task.language}\n`;
  const moved = anchors.map(({ begin, end, group }) => ({
    begin: begin + opening.length,
    end: end + opening.length,
    group,
  }));
  const closing = `${task.prompt.endsWith("\n") ? "" : "\n"}${fence}`;
  const { text, ranges } = withoutSpecialTokens(opening + task.prompt + closing, moved, specialTokens);
  if (ranges.length === 0) return { prompt: { prompt: [{ role: "user", content: text }] }, isAnchored: false };
  const message = { role: "user", content: escapeAnchorTags(text), anchors: ranges.map(anchorOf) };
  return { prompt: { prompt: [message] }, isAnchored: true };
}

/** A text with a space in each special token that is written in it, and ranges of it moved along. */
function withoutSpecialTokens(
  text: string,
  ranges: readonly GroupedRange[],
  specialTokens: SpecialTokens | null,
): { readonly text: string; readonly ranges: readonly GroupedRange[] } {
  const tokens = [...(specialTokens?.specialTokenIds ?? [])]
    .map((id) => specialTokens?.idToToken(id) ?? "")
    .filter((token) => token.length > 1 && text.includes(token))
    .toSorted((a, b) => b.length - a.length);
  if (tokens.length === 0) return { text, ranges };
  const pattern = new RegExp(
    tokens.map((token) => token.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).join("|"),
    "g",
  );
  const cuts = [...text.matchAll(pattern)].map(({ index }) => index + 1);
  const moved = (at: number): number => at + cuts.filter((cut) => cut < at).length;
  return {
    text: [0, ...cuts].map((cut, i) => text.slice(cut, cuts[i])).join(" "),
    ranges: ranges.map(({ begin, end, group }) => ({ begin: moved(begin), end: moved(end), group })),
  };
}

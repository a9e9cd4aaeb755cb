// The store of the study's completions: a file for each benchmark and way of decoding, a line a task. Completions do not depend on
// tests: one file is scored by as many tests as there are (HumanEval's and HumanEval+'s, say). The way in which texts were made is the
// file's header, and a file that was made in another way is refused.

import { createHash } from "node:crypto";
import { join } from "node:path";
import {
  isRecord,
  openLines,
  readLines,
  type LineKind,
  type LinesFile,
  type Settings,
} from "../../evaluation/lines-file.ts";
import type { Task } from "../../evaluation/task.ts";
import { nameOf, type BenchmarkName, type Way } from "./plan.ts";

/** What was written for a task. */
export interface Completion {
  readonly id: string;
  /** tells whether the task has still the prompt (and anchors) from which the text was made: see {@link promptDigest} */
  readonly prompt: string;
  /** as it was generated: the end is cut off when it is judged */
  readonly text: string;
  /** tokens in the text; the most that were allowed, where no end was found */
  readonly tokens: number;
  /** under a cache policy: the bytes after each step that all rows together kept, and that a cache which drops nothing would, summed over the steps since the line before */
  readonly cache?: { readonly kept: number; readonly dense: number };
}

const kind: LineKind<Completion> = {
  field: "kedgeCompletions",
  version: 1,
  fileName: "a file of completions",
  lineName: "the completion of a task",
  read({ id, prompt, text, tokens, cache }) {
    if (typeof id !== "string" || typeof prompt !== "string" || typeof text !== "string") return undefined;
    if (typeof tokens !== "number") return undefined;
    const completion = { id, prompt, text, tokens };
    if (cache === undefined) return completion;
    if (!isRecord(cache) || typeof cache["kept"] !== "number" || typeof cache["dense"] !== "number") return undefined;
    return { ...completion, cache: { kept: cache["kept"], dense: cache["dense"] } };
  },
  write: (completion) => ({ ...completion }),
};

/** The file of a way of decoding on a benchmark. */
export function completionsPath(folder: string, benchmark: BenchmarkName, way: Way): string {
  return join(folder, `${benchmark}_${nameOf(way)}.jsonl`);
}

/** Begins a file of completions, or goes on with it; throws as `openLines` does. */
export function openCompletions(path: string, settings: Settings): LinesFile<Completion> {
  return openLines(kind, path, settings, true);
}

/** Reads a file of completions; an unfinished last line is left out. */
export function readCompletions(path: string): { readonly settings: Settings; readonly done: readonly Completion[] } {
  return readLines(kind, path);
}

/** Tells prompts apart: 12 hexadecimal digits of what a completion is made from. Anchors count only where they are held. */
export function promptDigest({ prompt, anchors }: Pick<Task, "prompt" | "anchors">, { strength = 1 }: Way): string {
  const made = JSON.stringify(strength === 1 ? [prompt] : [prompt, anchors.map(({ begin, end }) => [begin, end])]);
  return createHash("sha256").update(made).digest("hex").slice(0, 12);
}

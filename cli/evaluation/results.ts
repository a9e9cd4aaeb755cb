// The results file: a header line with the settings of the run, then one JSON line a task, in the order in which they were
// judged (see lines-file.ts for how it is written and gone on with).

import { isRecord, openLines, readLines, type LineKind, type LinesFile, type Settings } from "./lines-file.ts";
import { FAILURE_KINDS, NOT_JUDGED, type Outcome, type OutcomeKind } from "./outcome.ts";

export type { Settings } from "./lines-file.ts";

/** A completion and how it fared. */
export interface Sample {
  readonly completion: string;
  readonly outcome: Outcome;
}

/** The outcome of a task. */
export interface TaskResult {
  readonly id: string;
  readonly samples: readonly Sample[];
}

/** An open results file. */
export type ResultsFile = LinesFile<TaskResult>;

const outcomeKinds: ReadonlySet<string> = new Set<OutcomeKind>([...FAILURE_KINDS, NOT_JUDGED]);

const kind: LineKind<TaskResult> = {
  field: "kedgeResults",
  version: 1,
  fileName: "a results file",
  lineName: "the result of a task",
  read: resultOf,
  write: ({ id, samples }) => ({
    id,
    passed: samples.filter(({ outcome }) => outcome.passed).length,
    samples: samples.map(({ completion, outcome }) => ({ completion, ...outcome })),
  }),
};

/** Begins a results file, or continues one; throws as {@link openLines} does. */
export function openResults(path: string, settings: Settings, resume: boolean): ResultsFile {
  return openLines(kind, path, settings, resume);
}

/** Reads the results in a file, without its settings being asked for; an unfinished last line is left out. */
export function loadResults(path: string): { readonly settings: Settings; readonly results: readonly TaskResult[] } {
  const { done, settings } = readLines(kind, path);
  return { settings, results: done };
}

function resultOf(row: Readonly<Record<string, unknown>>): TaskResult | undefined {
  if (typeof row["id"] !== "string" || !Array.isArray(row["samples"])) return undefined;
  const samples = row["samples"].map(sampleOf);
  return samples.every((sample) => sample !== undefined) ? { id: row["id"], samples } : undefined;
}

function sampleOf(row: unknown): Sample | undefined {
  if (!isRecord(row)) return undefined;
  const { completion, passed, kind: outcomeKind, message } = row;
  if (typeof completion !== "string") return undefined;
  if (passed === true) return { completion, outcome: { passed } };
  if (passed !== false || typeof outcomeKind !== "string" || !outcomeKinds.has(outcomeKind)) return undefined;
  if (typeof message !== "string") return undefined;
  return { completion, outcome: { passed, kind: outcomeKind as OutcomeKind, message } };
}

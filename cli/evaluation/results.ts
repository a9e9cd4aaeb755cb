// The results file: a header line with the settings of the run, then one JSON line a task, in the order in which they were
// judged. Each line goes to the disk in one write before the task counts as done. What an interruption can leave is a last
// line without its line break: that line is removed and its task is run again.

import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { FormatError, replaceableFile, writeProblem } from "kedge/loaders";
import { canonicalJson } from "./guest.ts";
import type { FailureKind, Outcome } from "./outcome.ts";
import type { Json } from "./task.ts";

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

/** The settings that the results of a run depend on, by name: model, decoding, limits. Plain JSON. */
export type Settings = Readonly<Record<string, Json>>;

/** An open results file. */
export interface ResultsFile {
  readonly path: string;
  /** the tasks that were done when the file was opened, in the file's order */
  readonly done: readonly TaskResult[];
  /** Writes a task's line to the disk. */
  append(result: TaskResult): void;
  close(): void;
}

const VERSION = 1;
const failureKinds: ReadonlySet<string> = new Set<FailureKind>([
  "assertion",
  "exception",
  "syntax",
  "timeout",
  "memory",
]);

/**
 * Begins a results file, or continues one.
 *
 * @param resume whether a file that is there may be gone on with; if not, it is an error
 * @throws FormatError if the file is there and resume is false, was made with other settings (naming those), is not a
 * results file (naming the line), or cannot be written
 */
export function openResults(path: string, settings: Settings, resume: boolean): ResultsFile {
  replaceableFile(path, { isRegularOnly: true }); // a pipe would be waited for, and a device keeps nothing
  const header = `${JSON.stringify({ kedgeResults: VERSION, settings })}\n`;
  const fd = openOrCreate(path, resume);
  try {
    const { done, byteLength } = readResults(readFileSync(fd), path, settings);
    ftruncateSync(fd, byteLength);
    if (byteLength === 0) writeLine(fd, header, path);
    return {
      path,
      done,
      append: (result) => writeLine(fd, `${JSON.stringify(lineOf(result))}\n`, path),
      close: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Reads the results in a file, without its settings being asked for; an unfinished last line is left out. */
export function loadResults(path: string): { readonly settings: Settings; readonly results: readonly TaskResult[] } {
  const bytes = readFileSync(path);
  const { done, settings } = readResults(bytes, path, undefined);
  return { settings, results: done };
}

function openOrCreate(path: string, resume: boolean): number {
  try {
    return openSync(path, resume ? "a+" : "ax+");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST")
      throw new FormatError(path, "is there already: go on with it (resume), or name another file", { cause });
    throw new FormatError(path, writeProblem(cause), { cause });
  }
}

function writeLine(fd: number, line: string, path: string): void {
  const bytes = Buffer.from(line);
  try {
    for (let at = 0; at < bytes.length;) {
      const written = writeSync(fd, bytes, at);
      if (written === 0) throw new Error(`${at} of ${bytes.length} bytes of a line`);
      at += written;
    }
    fsyncSync(fd);
  } catch (cause) {
    throw new FormatError(
      path,
      `${writeProblem(cause)}; the tasks before are in it: make room, and go on with it (resume)`,
      {
        cause,
      },
    );
  }
}

function lineOf({ id, samples }: TaskResult): Json {
  return {
    id,
    passed: samples.filter(({ outcome }) => outcome.passed).length,
    samples: samples.map(({ completion, outcome }) => ({ completion, ...outcome })),
  };
}

interface Contents {
  readonly done: readonly TaskResult[];
  readonly settings: Settings;
  /** up to the end of the last whole line */
  readonly byteLength: number;
}

function readResults(bytes: Buffer, path: string, wanted: Settings | undefined): Contents {
  const byteLength = bytes.lastIndexOf(0x0a) + 1;
  const [first, ...rest] = bytes.subarray(0, byteLength).toString("utf8").split("\n").slice(0, -1);
  if (first === undefined) {
    const isOurs = JSON.stringify({ kedgeResults: VERSION }).startsWith(bytes.toString("utf8", 0, 16));
    if (bytes.length > 0 && !isOurs) throw new FormatError(path, "line 1: is not the header of a results file");
    return { done: [], settings: wanted ?? {}, byteLength };
  }
  const settings = headerSettings(parse(first, 1, path), path);
  if (wanted !== undefined) refuseOthers(path, settings, wanted);
  const lineOfId = new Map<string, number>();
  const done = rest.map((line, index) => {
    const number = index + 2;
    const result = resultOf(parse(line, number, path));
    if (result === undefined) throw new FormatError(path, `line ${number}: is not the result of a task`);
    const earlier = lineOfId.get(result.id);
    if (earlier !== undefined)
      throw new FormatError(path, `line ${number}: has the task ${JSON.stringify(result.id)} of line ${earlier} again`);
    lineOfId.set(result.id, number);
    return result;
  });
  return { done, settings, byteLength };
}

function parse(line: string, number: number, path: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new FormatError(path, `line ${number}: is not JSON`, { cause });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function headerSettings(header: unknown, path: string): Settings {
  if (!isRecord(header) || !("kedgeResults" in header) || !isRecord(header["settings"]))
    throw new FormatError(path, "line 1: is not the header of a results file");
  const { kedgeResults: version, settings } = header;
  if (version !== VERSION)
    throw new FormatError(path, `line 1: is of version ${JSON.stringify(version)}, and this is version ${VERSION}`);
  return settings as Settings;
}

function show(setting: Json | undefined): string {
  return setting === undefined ? "left out" : canonicalJson(setting);
}

/** Names every setting that differs. */
function refuseOthers(path: string, made: Settings, wanted: Settings): void {
  const differences = [...new Set([...Object.keys(made), ...Object.keys(wanted)])]
    .filter((name) => show(made[name]) !== show(wanted[name]))
    .map((name) => `${name} ${show(made[name])}, not ${show(wanted[name])}`);
  if (differences.length > 0)
    throw new FormatError(path, `was made with ${differences.join("; ")}: use the same settings, or name another file`);
}

function resultOf(row: unknown): TaskResult | undefined {
  if (!isRecord(row) || typeof row["id"] !== "string" || !Array.isArray(row["samples"])) return undefined;
  const samples = row["samples"].map(sampleOf);
  return samples.every((sample) => sample !== undefined) ? { id: row["id"], samples } : undefined;
}

function sampleOf(row: unknown): Sample | undefined {
  if (!isRecord(row)) return undefined;
  const { completion, passed, kind, message } = row;
  if (typeof completion !== "string") return undefined;
  if (passed === true) return { completion, outcome: { passed } };
  if (passed !== false || typeof kind !== "string" || !failureKinds.has(kind) || typeof message !== "string")
    return undefined;
  return { completion, outcome: { passed, kind: kind as FailureKind, message } };
}

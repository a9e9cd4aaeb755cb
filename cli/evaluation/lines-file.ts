// A file that a long run appends to: a header line with the settings of the run, then one JSON line a task. Each line goes to the
// disk in one write before the task counts as done. What an interruption can leave is a last line without its line break: that
// line is removed, and its task is run again.

import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { FormatError, replaceableFile, writeProblem } from "kedge/loaders";
import { canonicalJson } from "./guest.ts";
import type { Json } from "./task.ts";

/** The settings that the lines of a run depend on, by name: model, decoding, limits. Plain JSON. */
export type Settings = Readonly<Record<string, Json>>;

/** What a line is about: files have one line a task. */
export interface Line {
  readonly id: string;
}

/** A kind of file: how its header and its lines are told and read. */
export interface LineKind<T extends Line> {
  /** the header's field that has the version: no file of another kind has it */
  readonly field: string;
  readonly version: number;
  /** what messages call the file, and a line: "a results file", "the result of a task" */
  readonly fileName: string;
  readonly lineName: string;
  readonly read: (row: Readonly<Record<string, unknown>>) => T | undefined;
  readonly write: (line: T) => Json;
}

/** An open file. */
export interface LinesFile<T extends Line> {
  readonly path: string;
  /** the lines that were there when the file was opened, in the file's order */
  readonly done: readonly T[];
  /** Writes a task's line to the disk. */
  append(line: T): void;
  close(): void;
}

/**
 * Begins a file, or continues one.
 *
 * @param resume whether a file that is there may be gone on with; if not, it is an error
 * @throws FormatError if the file is there and resume is false, was made with other settings (naming those), is not of
 * this kind (naming the line), or cannot be written
 */
export function openLines<T extends Line>(
  kind: LineKind<T>,
  path: string,
  settings: Settings,
  resume: boolean,
): LinesFile<T> {
  replaceableFile(path, { isRegularOnly: true }); // a pipe would be waited for, and a device keeps nothing
  const header = `${JSON.stringify({ [kind.field]: kind.version, settings })}\n`;
  const fd = openOrCreate(path, resume);
  try {
    const { done, byteLength } = parseLines(kind, readFileSync(fd), path, settings);
    ftruncateSync(fd, byteLength);
    if (byteLength === 0) writeLine(fd, header, path);
    return {
      path,
      done,
      append: (line) => writeLine(fd, `${JSON.stringify(kind.write(line))}\n`, path),
      close: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Reads the lines of a file, without its settings being asked for; an unfinished last line is left out. Throws what reading a file does. */
export function readLines<T extends Line>(
  kind: LineKind<T>,
  path: string,
): { readonly settings: Settings; readonly done: readonly T[] } {
  return parseLines(kind, readFileSync(path), path, undefined);
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

interface Contents<T> {
  readonly done: readonly T[];
  readonly settings: Settings;
  /** up to the end of the last whole line */
  readonly byteLength: number;
}

function parseLines<T extends Line>(
  kind: LineKind<T>,
  bytes: Buffer,
  path: string,
  wanted: Settings | undefined,
): Contents<T> {
  const byteLength = bytes.lastIndexOf(0x0a) + 1;
  const [first, ...rest] = bytes.subarray(0, byteLength).toString("utf8").split("\n").slice(0, -1);
  if (first === undefined) {
    const isOurs = JSON.stringify({ [kind.field]: kind.version }).startsWith(bytes.toString("utf8", 0, 16));
    if (bytes.length > 0 && !isOurs) throw new FormatError(path, `line 1: is not the header of ${kind.fileName}`);
    return { done: [], settings: wanted ?? {}, byteLength };
  }
  const settings = headerSettings(kind, parse(first, 1, path), path);
  if (wanted !== undefined) refuseOthers(path, settings, wanted);
  const lineOfId = new Map<string, number>();
  const done = rest.map((text, index) => {
    const number = index + 2;
    const row = parse(text, number, path);
    const line = isRecord(row) ? kind.read(row) : undefined;
    if (line === undefined) throw new FormatError(path, `line ${number}: is not ${kind.lineName}`);
    const earlier = lineOfId.get(line.id);
    if (earlier !== undefined)
      throw new FormatError(path, `line ${number}: has the task ${JSON.stringify(line.id)} of line ${earlier} again`);
    lineOfId.set(line.id, number);
    return line;
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

/** Whether a value read from JSON is an object with fields. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function headerSettings<T extends Line>({ field, version, fileName }: LineKind<T>, header: unknown, path: string) {
  if (!isRecord(header) || !(field in header) || !isRecord(header["settings"]))
    throw new FormatError(path, `line 1: is not the header of ${fileName}`);
  if (header[field] !== version)
    throw new FormatError(
      path,
      `line 1: is of version ${JSON.stringify(header[field])}, and this is version ${version}`,
    );
  return header["settings"] as Settings;
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

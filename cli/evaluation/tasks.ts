// Task files: one JSON object a line, plain or gzipped, in any format of task-rows.ts.

import { open } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { FormatError } from "kedge/loaders";
import type { Task } from "./task.ts";
import { RowProblem } from "./row-fields.ts";
import { taskOfRow } from "./task-rows.ts";

/** Largest task file, unpacked: HumanEval-X has 0.3 MB. Stops a gzip bomb, and a model file named by mistake. */
const MAX_BYTES = 256 << 20;
const MAX_TASKS = 100_000;

/**
 * The tasks in the bytes of a file, plain or gzipped.
 *
 * @param file what messages call it
 * @throws FormatError naming the line, counted from 1, and what is wrong with it
 */
export function parseTasks(bytes: Uint8Array, file: string): Task[] {
  const tasks: Task[] = [];
  const lineOf = new Map<string, number>();
  for (const [index, line] of decode(bytes, file).split("\n").entries()) {
    if (line.trim() === "") continue;
    const number = index + 1;
    if (tasks.length === MAX_TASKS)
      throw new FormatError(file, `line ${number}: has task ${MAX_TASKS + 1}, and a file may have ${MAX_TASKS}`);
    const task = parseLine(line, number, file);
    const earlier = lineOf.get(task.id);
    if (earlier !== undefined)
      throw new FormatError(file, `line ${number}: "task_id" is ${JSON.stringify(task.id)}, as on line ${earlier}`);
    lineOf.set(task.id, number);
    tasks.push(task);
  }
  if (tasks.length === 0) throw new FormatError(file, "has no tasks");
  return tasks;
}

/** Reads a task file (.jsonl or .jsonl.gz); the same errors as {@link parseTasks}. */
export async function readTasks(path: string): Promise<Task[]> {
  const file = await open(path).catch((cause: unknown) => {
    const { code } = cause as NodeJS.ErrnoException;
    throw new FormatError(path, code === "ENOENT" ? "no such file" : `cannot be read (${code})`, { cause });
  });
  try {
    const stat = await file.stat();
    const { size } = stat;
    if (!stat.isFile()) throw new FormatError(path, "is no file; wanted tasks, a line each");
    if (size > MAX_BYTES) throw new FormatError(path, `has ${size} bytes, more than the ${MAX_BYTES} of a task file`);
    return parseTasks(await file.readFile(), path);
  } finally {
    await file.close();
  }
}

function decode(bytes: Uint8Array, file: string): string {
  const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? unzip(bytes, file) : bytes;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(plain);
  } catch (cause) {
    throw new FormatError(file, "is not UTF-8 text", { cause });
  }
}

function unzip(bytes: Uint8Array, file: string): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_BYTES });
  } catch (cause) {
    if (cause instanceof RangeError)
      throw new FormatError(file, `unpacks to more than the ${MAX_BYTES} bytes of a task file`, { cause });
    throw new FormatError(file, `is not a whole gzip file: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}

function parseLine(line: string, number: number, file: string): Task {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(file, `line ${number}: is not JSON: ${reason}`, { cause });
  }
  try {
    return taskOfRow(row);
  } catch (cause) {
    if (!(cause instanceof RowProblem)) throw cause;
    throw new FormatError(file, `line ${number}: ${cause.message}`, { cause });
  }
}

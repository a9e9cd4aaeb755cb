// One row of a task file to a task, field by field. Problems are sentences without the place: the reader adds file and line.

import { descriptionAnchors, lastFunction } from "./description.ts";
import type { Case, Json, Task, TextRange } from "./task.ts";

/** Longest prompt, solution or test, in UTF-16 units: far above any real task, far below what would stall a machine. */
const MAX_TEXT = 1 << 20;

/** Something wrong with a row. */
export class RowProblem extends Error {
  override readonly name = "RowProblem";
}

const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** Names the kind of a value, for messages. */
function nameOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

type Row = Readonly<Record<string, unknown>>;

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(row: Row, field: string): string {
  const value = row[field];
  if (typeof value !== "string") throw new RowProblem(`"${field}" is ${nameOf(value)}, wanted a string`);
  if (value.length > MAX_TEXT)
    throw new RowProblem(`"${field}" has ${value.length} characters, more than the ${MAX_TEXT} that a task may have`);
  return value;
}

function nonEmptyText(row: Row, field: string): string {
  const value = text(row, field);
  if (value === "") throw new RowProblem(`"${field}" is empty`);
  return value;
}

function anchorRanges(value: unknown, prompt: string): TextRange[] {
  if (!Array.isArray(value)) throw new RowProblem(`"anchor_ranges" is ${nameOf(value)}, wanted an array`);
  return value.map((range: unknown, index) => {
    const [begin, end] = Array.isArray(range) && range.length === 2 ? (range as unknown[]) : [];
    if (!Number.isInteger(begin) || !Number.isInteger(end))
      throw new RowProblem(`"anchor_ranges"[${index}] is ${JSON.stringify(range)}, wanted [begin, end]`);
    const [from, to] = [Number(begin), Number(end)];
    if (from < 0 || from >= to || to > prompt.length)
      throw new RowProblem(
        `"anchor_ranges"[${index}] is [${from}, ${to}], wanted 0 <= begin < end <= ${prompt.length}, the prompt's length`,
      );
    return { begin: from, end: to };
  });
}

function casesOf(value: unknown): Case[] {
  if (!Array.isArray(value)) throw new RowProblem(`"tests" is ${nameOf(value)}, wanted an array`);
  if (value.length === 0) throw new RowProblem(`"tests" is empty, and would pass anything`);
  return value.map((test: unknown, index) => {
    if (!isRow(test)) throw new RowProblem(`"tests"[${index}] is ${nameOf(test)}, wanted an object`);
    for (const field of ["input", "expected"])
      if (!Object.hasOwn(test, field)) throw new RowProblem(`"tests"[${index}] has no "${field}"`);
    return { input: test["input"] as Json, expected: test["expected"] as Json };
  });
}

function kedgeTask(row: Row): Task {
  const id = nonEmptyText(row, "task_id");
  const prompt = nonEmptyText(row, "prompt");
  const entryPoint = text(row, "entry_point");
  if (!identifier.test(entryPoint))
    throw new RowProblem(`"entry_point" is ${JSON.stringify(entryPoint)}, wanted the name of a function`);
  return {
    id,
    format: "kedge",
    language: "javascript",
    prompt,
    anchors: anchorRanges(row["anchor_ranges"], prompt),
    entryPoint,
    canonicalSolution: text(row, "canonical_solution"),
    stop: "line-is-brace",
    check: { kind: "cases", entryPoint, cases: casesOf(row["tests"]) },
  };
}

function humanEvalTask(row: Row): Task {
  const id = nonEmptyText(row, "task_id");
  const prompt = nonEmptyText(row, "prompt");
  const last = lastFunction(prompt);
  if (last === undefined) throw new RowProblem(`"prompt" declares no function`);
  return {
    id,
    format: "humaneval-x",
    language: "javascript",
    prompt,
    anchors: descriptionAnchors(prompt),
    entryPoint: last.name,
    canonicalSolution: text(row, "canonical_solution"),
    stop: "line-begins-with-brace",
    check: { kind: "script", source: nonEmptyText(row, "test") },
  };
}

/**
 * The task in a row: kedge's own format has `tests`, HumanEval-X has `test`.
 *
 * @throws RowProblem naming the field and what is wrong with it
 */
export function taskOfRow(row: unknown): Task {
  if (!isRow(row)) throw new RowProblem(`is ${nameOf(row)}, wanted an object`);
  if (Object.hasOwn(row, "tests")) return kedgeTask(row);
  if (Object.hasOwn(row, "test")) return humanEvalTask(row);
  throw new RowProblem(`has neither "tests" (kedge's own format) nor "test" (HumanEval-X)`);
}

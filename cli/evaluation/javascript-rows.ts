// Tasks in JavaScript: kedge's own format, HumanEval-X and MBXP.

import { commentAnchors, lastFunction } from "./description.ts";
import { functionName, isRow, kindOf, nonEmptyText, optionalText, RowProblem, text, type Row } from "./row-fields.ts";
import type { Case, Json, Task, TextRange } from "./task.ts";

/** A task of kedge's own format. */
export function kedgeTask(row: Row): Task {
  const id = nonEmptyText(row, "task_id");
  const prompt = nonEmptyText(row, "prompt");
  const entryPoint = functionName(row, "entry_point");
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

/** A task of HumanEval-X whose test of its examples calls a function that is not there. */
const CALLS_NOTHING = "JavaScript/32";

/** A task of HumanEval-X, whose languages have the same fields: they are told by the task's name. */
export function humanEvalXTask(row: Row): Task {
  const id = nonEmptyText(row, "task_id");
  const language = /^(Python|CPP|Java|Go|Rust)\//.exec(id)?.[1];
  if (language !== undefined)
    throw new RowProblem(`is HumanEval-X in ${language}, wanted JavaScript${inPython(language, "HumanEval")}`);
  const prompt = nonEmptyText(row, "prompt");
  const last = lastFunction(prompt);
  if (last === undefined) throw new RowProblem(`"prompt" declares no function`);
  const examples = id === CALLS_NOTHING ? "" : optionalText(row, "example_test");
  return {
    id,
    format: "humaneval-x",
    language: "javascript",
    prompt,
    anchors: commentAnchors(prompt),
    entryPoint: last.name,
    canonicalSolution: text(row, "canonical_solution"),
    stop: "line-begins-with-brace",
    check: { kind: "script", source: nonEmptyText(row, "test") },
    examples: examples.includes("console.assert") ? { kind: "script", source: examples } : undefined,
  };
}

/** What a test of MBXP does for each value: it throws at the first that differs, by way of a variable that is not there. */
const comparison =
  /if\s*\(\s*!\s*compare\((\w+), (\w+)\)\s*\)\s*\{\s*throw '[^'\n]*' \+ JSON\.stringify\(x\)\s*;?\s*\}/g;

/**
 * A task of MBXP. Its comparisons are made assertions, so that they are counted as those of other tasks are; what passes is the
 * same. Its prompts show all its tests, which are its examples therefore.
 */
export function mbxpTask(row: Row): Task {
  const id = nonEmptyText(row, "task_id");
  const language = nonEmptyText(row, "language").toLowerCase();
  if (language !== "javascript")
    throw new RowProblem(`is MBXP in ${language}, wanted javascript${inPython(language, "MBPP")}`);
  const prompt = nonEmptyText(row, "prompt");
  const test = nonEmptyText(row, "test");
  const check = { kind: "script", source: test.replaceAll(comparison, "console.assert(compare($1, $2));") } as const;
  return {
    id,
    format: "mbxp",
    language: "javascript",
    prompt,
    anchors: commentAnchors(prompt),
    entryPoint: functionName(row, "entry_point"),
    canonicalSolution: optionalText(row, "canonical_solution"),
    stop: "line-begins-with-brace",
    check,
    examples: check,
  };
}

function inPython(language: string, set: string): string {
  return language.toLowerCase() === "python" ? `: ${set} has these tasks in Python` : "";
}

function anchorRanges(value: unknown, prompt: string): TextRange[] {
  if (!Array.isArray(value)) throw new RowProblem(`"anchor_ranges" is ${kindOf(value)}, wanted an array`);
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
  if (!Array.isArray(value)) throw new RowProblem(`"tests" is ${kindOf(value)}, wanted an array`);
  if (value.length === 0) throw new RowProblem(`"tests" is empty, and would pass anything`);
  return value.map((test: unknown, index) => {
    if (!isRow(test)) throw new RowProblem(`"tests"[${index}] is ${kindOf(test)}, wanted an object`);
    for (const field of ["input", "expected"])
      if (!Object.hasOwn(test, field)) throw new RowProblem(`"tests"[${index}] has no "${field}"`);
    return { input: test["input"] as Json, expected: test["expected"] as Json };
  });
}

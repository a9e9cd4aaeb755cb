// Tasks in Python: HumanEval and HumanEval+, MBPP and MBPP+.

import { docstringOf } from "./docstring.ts";
import { proseOf } from "./description.ts";
import { examplesIn } from "./python-examples.ts";
import { functionName, kindOf, nonEmptyText, optionalText, RowProblem, text, texts, type Row } from "./row-fields.ts";
import type { Check, Task, TaskFormat } from "./task.ts";

/** A task of HumanEval, or of HumanEval+ as EvalPlus writes it in HumanEval's own fields. */
export function humanEvalTask(row: Row): Task {
  const id = nonEmptyText(row, "task_id");
  const prompt = nonEmptyText(row, "prompt");
  const entryPoint = functionName(row, "entry_point");
  const docstring = docstringOf(prompt, entryPoint);
  if (docstring === undefined) throw new RowProblem(`"prompt" has no function ${entryPoint} in Python`);
  const anchors = proseOf(prompt, docstring, entryPoint);
  const examples = { begin: anchors.at(-1)?.end ?? docstring.begin, end: docstring.end };
  return {
    id,
    format: "humaneval",
    language: "python",
    prompt,
    anchors,
    entryPoint,
    canonicalSolution: text(row, "canonical_solution"),
    stop: "python-body",
    check: script(nonEmptyText(row, "test"), `check(${entryPoint})`),
    examples: examplesIn(prompt, examples, entryPoint, id),
  };
}

/**
 * A task of MBPP (the description is `text`; in its sanitized part, `prompt`). The tests that a set calls challenges are not run: the
 * published scores are without them.
 */
export function mbppTask(row: Row): Task {
  const tests = texts(row, "test_list");
  const setup = [...texts(row, "test_imports"), optionalText(row, "test_setup_code")];
  const description = nonEmptyText(row, row["text"] === undefined ? "prompt" : "text");
  return describedTask(row, "mbpp", description, script(...setup, ...tests));
}

/** A task of MBPP+: MBPP's with more tests. */
export function mbppPlusTask(row: Row): Task {
  const check = script(...texts(row, "test_imports"), nonEmptyText(row, "test"));
  return describedTask(row, "mbpp-plus", nonEmptyText(row, "prompt"), check);
}

/** A task that has a description and no function: its prompt is a docstring of the description and the first test. */
function describedTask(row: Row, format: TaskFormat, description: string, check: Check): Task {
  const number = row["task_id"];
  if (!Number.isInteger(number)) throw new RowProblem(`"task_id" is ${kindOf(number)}, wanted a whole number`);
  const [first] = texts(row, "test_list");
  if (first === undefined) throw new RowProblem(`"test_list" is empty, and its first test is part of the prompt`);
  const code = unixLines(nonEmptyText(row, "code"));
  const prose = unixLines(description).trim();
  const entryPoint = calledFunction(code, first);
  if (entryPoint === undefined) throw new RowProblem(`"test_list"[0] calls no function that "code" defines`);
  const opening = '"""\n';
  return {
    id: `MBPP/${number}`,
    format,
    language: "python",
    prompt: `${opening}${prose}\n${unixLines(first).trim()}\n"""\n`,
    anchors: [{ begin: opening.length, end: opening.length + prose.length }],
    entryPoint,
    canonicalSolution: `${code.trim()}\n`,
    stop: { kind: "python-program", entryPoint },
    check,
    examples: script(...texts(row, "test_imports"), optionalText(row, "test_setup_code"), first),
  };
}

/** The last function that the code defines and the test calls; classes and helpers come before it. */
function calledFunction(code: string, test: string): string | undefined {
  return [...code.matchAll(/^(?:async\s+)?def\s+([\p{ID_Start}_]\p{ID_Continue}*)/gmu)]
    .map(([, name]) => name!)
    .findLast((name) => new RegExp(`(?<![\\p{ID_Continue}.])${name}\\s*\\(`, "u").test(test));
}

function script(...parts: readonly string[]): Check {
  const source = parts.filter((part) => part.trim() !== "").map((part) => unixLines(part).trimEnd());
  return { kind: "script", source: `${source.join("\n")}\n` };
}

function unixLines(value: string): string {
  return value.replaceAll("\r\n", "\n");
}

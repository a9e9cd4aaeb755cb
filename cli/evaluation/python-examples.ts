// The examples in a docstring as a check in Python: `>>> f(1)` with its answer on the next line, and the ways in which HumanEval writes
// `f(1) == 2` else (`=>`, `==>`, `->`, `➞`, `=`, "returns"). Only calls are taken whose arguments and answers are literals, so that
// no prose is taken for code.

import type { Check, TextRange } from "./task.ts";

/** Examples that the sets' own solutions contradict, by the task's id: they are left out. */
const wrong: ReadonlyMap<string, readonly string[]> = new Map([
  ["HumanEval/47", ["median([-10, 4, 6, 1000, 10, 20])"]], // 8.0, not 15.0
  ["HumanEval/148", ['bf("Earth", "Mercury")']], // ("Venus") is no tuple
]);

const blank = /[^\S\n]*/y;
const answerSign = /[^\S\n]*(?:#[^\S\n]*)?(?:={1,2}>|={1,2}|->|➞|returns\b)[^\S\n]*/y;
const literalToken =
  /\s+|"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*'|-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w.])|(?:True|False|None|true|false)\b|[([{}\]),:]/y;

/** Where a literal that begins at an index ends; undefined where none does. */
function literalEnd(text: string, begin: number): number | undefined {
  let depth = 0;
  for (let at = begin; at < text.length;) {
    literalToken.lastIndex = at;
    const token = literalToken.exec(text)?.[0];
    if (token === undefined) return undefined;
    if ("([{".includes(token)) depth++;
    else if (")]}".includes(token)) depth--;
    else if (depth === 0 && /^[\s,:]/.test(token)) return undefined;
    at += token.length;
    if (depth < 0) return undefined;
    if (depth === 0) return at;
  }
  return undefined;
}

function endOf(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) === null ? undefined : pattern.lastIndex;
}

/** A call of the function that begins at an index, and its answer. */
function calledAt(
  text: string,
  at: number,
  name: string,
): { readonly call: string; readonly answer: string } | undefined {
  const callEnd = literalEnd(text, at + name.length);
  const begin = callEnd === undefined ? undefined : endOf(answerSign, text, callEnd);
  const end = begin === undefined ? undefined : literalEnd(text, begin);
  if (callEnd === undefined || begin === undefined || end === undefined) return undefined;
  const rest = /[^\n]*/y;
  rest.lastIndex = end;
  if (!/^\s*(?:[#(].*|\.)?$/.test(rest.exec(text)![0])) return undefined; // `f(1) == 1 + 2`
  return { call: text.slice(at, callEnd), answer: text.slice(begin, end) };
}

/**
 * The examples in a part of a prompt, a docstring without its prose; undefined where there are none that can be run.
 *
 * @param name of the function
 * @param id of the task
 */
export function examplesIn(prompt: string, { begin, end }: TextRange, name: string, id: string): Check | undefined {
  const text = prompt.slice(begin, end);
  const assertions: string[] = [];
  for (const line of text.matchAll(/^[^\S\n]*(?:\*\s+)?(?:(?:assert|for)\s+)?(?:(>>>)[^\S\n]*)?([^\n]*)/gm)) {
    const [, prompted, content = ""] = line;
    const at = line.index + line[0].length - content.length;
    const found =
      prompted !== undefined
        ? promptedAt(text, at, content)
        : content.startsWith(`${name}(`)
          ? calledAt(text, at, name)
          : undefined;
    if (found === undefined || wrong.get(id)?.includes(found.call)) continue;
    const answer = found.answer === "true" ? "True" : found.answer === "false" ? "False" : found.answer;
    assertions.push(`assert (${found.call}) == (${answer})`);
  }
  return assertions.length === 0 ? undefined : { kind: "script", source: `${assertions.join("\n")}\n` };
}

/** An expression behind `>>>`, and its answer on the next line: None where that is blank. */
function promptedAt(
  text: string,
  at: number,
  content: string,
): { readonly call: string; readonly answer: string } | undefined {
  const call = content.replace(/\s+#[^"']*$/, "").trimEnd();
  const next = endOf(blank, text, at + content.length + 1);
  if (next === undefined || next >= text.length) return undefined;
  if (text[next] === "\n") return { call, answer: "None" };
  const end = literalEnd(text, next);
  return end === undefined || !/^\s*$/.test(text.slice(end).split("\n")[0]!)
    ? undefined
    : { call, answer: text.slice(next, end) };
}

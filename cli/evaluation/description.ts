// The part of a HumanEval-X prompt that Selective Prompt Anchoring anchors: the prose of the last function's comment, up to
// its first example. The example begins at the first line that says so (`>>>`, "Examples:", "For example …", "e.g. …");
// only a comment without such a line is cut at its first call of the function.

import type { TextRange } from "./task.ts";

const declaration =
  /^(?:export\s+)?(?:(?:const|let|var)\s+([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*=|(?:async\s+)?function\s*\*?\s*([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*\()/gmu;

const exampleHeadings = [
  /^>>>/,
  /^(?:for\s+|some\s+)?exam[pb]les?\s*\d*\s*[:.,]?\s*$/i, // data sets write "examble" too
  /^exam[pb]les?\s*\d*\s*:/i,
  /^for\s+exam[pb]le\b/i,
  /^e\.\s?g\.?[\s,:]/i,
  /^\[input\/output\]\s+samples?\b/i,
];

/** The last function that a prompt declares at the left margin, and where its declaration begins. */
export function lastFunction(prompt: string): { readonly name: string; readonly begin: number } | undefined {
  const last = [...prompt.matchAll(declaration)].at(-1);
  const name = last?.[1] ?? last?.[2];
  return last === undefined || name === undefined ? undefined : { name, begin: last.index };
}

/** Lines of a text from begin to end, each trimmed and without the star that decorates comments. */
function trimmedLines(text: string, begin: number, end: number): TextRange[] {
  const lines: TextRange[] = [];
  for (let at = begin; at < end;) {
    const lineBreak = text.indexOf("\n", at);
    const lineEnd = lineBreak < 0 || lineBreak > end ? end : lineBreak;
    const line = text.slice(at, lineEnd);
    const margin = /^\s*(?:\*+(?:\s+|$))?/.exec(line)?.[0].length ?? 0;
    const content = line.slice(margin).trimEnd();
    lines.push({ begin: at + margin, end: at + margin + content.length });
    at = lineEnd + 1;
  }
  return lines;
}

/**
 * The lines that describe the last function of a prompt, without the examples, the comment's marks and margins; none where
 * no comment stands before it.
 */
export function descriptionAnchors(prompt: string): TextRange[] {
  const last = lastFunction(prompt);
  if (last === undefined) return [];
  const open = prompt.lastIndexOf("/*", last.begin);
  const close = open < 0 ? -1 : prompt.indexOf("*/", open + 2);
  if (close < 0 || close > last.begin || prompt.slice(close + 2, last.begin).trim() !== "") return [];

  const lines = trimmedLines(prompt, open + 2, close);
  const textOf = (line: TextRange): string => prompt.slice(line.begin, line.end);
  const isHeading = (line: TextRange): boolean => exampleHeadings.some((heading) => heading.test(textOf(line)));
  const isCall = (line: TextRange): boolean =>
    textOf(line)
      .replace(/^(?:assert|for)\s+/, "")
      .startsWith(`${last.name}(`);
  const heading = lines.findIndex(isHeading);
  const end = heading >= 0 ? heading : lines.findIndex(isCall);
  return lines.slice(0, end < 0 ? lines.length : end).filter((line) => /[\p{L}\p{N}]/u.test(textOf(line)));
}

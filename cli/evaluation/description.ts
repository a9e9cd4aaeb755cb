// The part of a prompt that Selective Prompt Anchoring anchors: the prose of the last function's comment or docstring, up to
// its first example. The example begins at the first line that says so (`>>>`, "Examples:", "For example …", "e.g. …");
// only a text without such a line is cut at its first call of the function.

import type { TextRange } from "./text-range.ts";

const declaration =
  /^(?:export\s+)?(?:(?:const|let|var)\s+([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*=|(?:async\s+)?function\s*\*?\s*([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*\()/gmu;

const exampleHeadings = [
  /^>>>/,
  /^>\s/, // MBXP's
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

/** Lines of a text from begin to end, each trimmed and without the stars that decorate comments and lists. */
function trimmedLines(text: string, begin: number, end: number): TextRange[] {
  const lines: TextRange[] = [];
  for (let at = begin; at < end;) {
    const lineBreak = text.indexOf("\n", at);
    const lineEnd = lineBreak < 0 || lineBreak > end ? end : lineBreak;
    const line = text.slice(at, lineEnd);
    const margin = /^\s*(?:\*+(?:\s+|$))*/.exec(line)?.[0].length ?? 0;
    const content = line.slice(margin).trimEnd();
    lines.push({ begin: at + margin, end: at + margin + content.length });
    at = lineEnd + 1;
  }
  return lines;
}

/**
 * The lines of a part of a text that describe a function, without the examples and margins.
 *
 * @param part what stands between the marks of the comment or docstring
 * @param name of the function
 */
export function proseOf(text: string, part: TextRange, name: string): TextRange[] {
  const lines = trimmedLines(text, part.begin, part.end);
  const textOf = (line: TextRange): string => text.slice(line.begin, line.end);
  const isHeading = (line: TextRange): boolean => exampleHeadings.some((heading) => heading.test(textOf(line)));
  const isCall = (line: TextRange): boolean =>
    textOf(line)
      .replace(/^(?:assert|for)\s+/, "")
      .startsWith(`${name}(`);
  const heading = lines.findIndex(isHeading);
  const end = heading >= 0 ? heading : lines.findIndex(isCall);
  return lines.slice(0, end < 0 ? lines.length : end).filter((line) => /[\p{L}\p{N}]/u.test(textOf(line)));
}

/** The prose of the comment before the last function of a prompt in JavaScript; none where no comment stands there. */
export function commentAnchors(prompt: string): TextRange[] {
  const last = lastFunction(prompt);
  if (last === undefined) return [];
  const open = prompt.lastIndexOf("/*", last.begin);
  const close = open < 0 ? -1 : prompt.indexOf("*/", open + 2);
  if (close < 0 || close > last.begin || prompt.slice(close + 2, last.begin).trim() !== "") return [];
  return proseOf(prompt, { begin: open + 2, end: close }, last.name);
}

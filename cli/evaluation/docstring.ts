// The docstring with which a prompt in Python ends.

import type { TextRange } from "./text-range.ts";

/**
 * The text of the docstring of a prompt's last function, between its quotes: empty, at the prompt's end, where there is none.
 * Undefined where the prompt defines no such function.
 */
export function docstringOf(prompt: string, name: string): TextRange | undefined {
  const header = [...prompt.matchAll(/^(?:async[ \t]+)?def[ \t]+([\p{ID_Start}_]\p{ID_Continue}*)[ \t]*\(/gmu)]
    .filter((match) => match[1] === name)
    .at(-1);
  if (header === undefined) return undefined;
  const end = prompt.trimEnd().length - 3;
  const quote = prompt.slice(end, end + 3);
  const none = { begin: prompt.length, end: prompt.length };
  if (quote !== '"""' && quote !== "'''") return none;
  const open = prompt.indexOf(quote, header.index);
  return open < 0 || open + 3 > end ? none : { begin: open + 3, end };
}

// Upper and lower case, and classes of characters, as Python's str has them.

import { SPACE } from "./lexer.ts";
import { spendCharacters } from "./limits.ts";
import { characters } from "./values.ts";

/** Python's `capitalize`. */
export function capitalize(text: string): string {
  const [first = "", ...rest] = characters(text);
  return toTitle(first) + rest.join("").toLowerCase();
}

const DIGRAPHS: Readonly<Record<string, string>> = {
  "\u01c4": "\u01c5", "\u01c6": "\u01c5", "\u01c7": "\u01c8", "\u01c9": "\u01c8",
  "\u01ca": "\u01cb", "\u01cc": "\u01cb", "\u01f1": "\u01f2", "\u01f3": "\u01f2",
}; // prettier-ignore

/** A character as the first of a word; differs from upper case for letters that stand for two, and in Georgian. */
function toTitle(character: string): string {
  const digraph = DIGRAPHS[character];
  if (digraph !== undefined) return digraph;
  if (/[\u01c5\u01c8\u01cb\u01f2\u10d0-\u10ff]/.test(character)) return character;
  const upper = character.toUpperCase();
  if (/[\u1f80-\u1fff]/.test(character) && upper.length > 1 && upper.endsWith("\u0399")) {
    const single = /[\u1f80-\u1faf]/.test(character) ? character.charCodeAt(0) | 8 : 0;
    const marked: Readonly<Record<string, string>> = { "\u1fb3": "\u1fbc", "\u1fc3": "\u1fcc", "\u1ff3": "\u1ffc" };
    if (single !== 0) return String.fromCharCode(single);
    return marked[character] ?? (/[\u1fbc\u1fcc\u1ffc]/.test(character) ? character : upper.slice(0, -1) + "\u0345");
  }
  const [first = "", ...rest] = characters(upper);
  return first + (/\p{L}/u.test(rest[0] ?? "") && first !== "\u02bc" ? rest.join("").toLowerCase() : rest.join(""));
}

/** Upper case for lower, and lower for upper. */
export function swapCase(text: string): string {
  return characters(text)
    .map((one) =>
      /\p{Uppercase}/u.test(one) ? one.toLowerCase() : /\p{Lowercase}/u.test(one) ? one.toUpperCase() : one,
    )
    .join("");
}

const CASED = /[\p{Lowercase}\p{Uppercase}\p{Lt}]/u;

/** Python's `title`. */
export function title(text: string): string {
  spendCharacters(text.length);
  let result = "";
  let isInside = false;
  let word = "";
  for (const character of characters(text)) {
    const isCased = CASED.test(character);
    if (isInside && isCased) word += character;
    else {
      result += word.toLowerCase() + (isCased ? toTitle(character) : character);
      word = "";
    }
    isInside = isCased;
  }
  return result + word.toLowerCase();
}

/** Whether there are cased characters and all of them are of one case. */
export function isCase(text: string, which: "lower" | "upper"): boolean {
  const [wanted, other] =
    which === "lower" ? [/\p{Lowercase}/u, /[\p{Uppercase}\p{Lt}]/u] : [/\p{Uppercase}/u, /[\p{Lowercase}\p{Lt}]/u];
  return wanted.test(text) && !other.test(text);
}

/** Whether every word begins with a capital and has no other. */
export function isTitle(text: string): boolean {
  let isInside = false;
  let isAny = false;
  for (const character of characters(text)) {
    if (/[\p{Uppercase}\p{Lt}]/u.test(character)) {
      if (isInside) return false;
      isInside = isAny = true;
    } else if (/\p{Lowercase}/u.test(character)) {
      if (!isInside) return false;
      isAny = true;
    } else isInside = false;
  }
  return isAny;
}

/** Characters whose every one is of a class; false for the empty text, except where Python says otherwise. */
export const CHARACTER_CLASSES: Readonly<Record<string, RegExp>> = {
  isalpha: /^\p{L}+$/u,
  isdecimal: /^\p{Nd}+$/u,
  isspace: new RegExp(`^[${SPACE}]+$`),
  isascii: /^[\0-\x7f]*$/,
  isprintable: /^(?:[^\p{C}\p{Z}]| )*$/u,
  isidentifier: /^[\p{ID_Start}_][\p{ID_Continue}]*$/u,
  isalnum: /^[\p{L}\p{N}]+$/u,
  isdigit: /^[\p{Nd}\u00b2\u00b3\u00b9\u1369-\u1371\u19da\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468\u2474-\u247c\u2488-\u2490\u24ea\u24f5-\u24fd\u24ff\u2776-\u277e\u2780-\u2788\u278a-\u2792]+$/u,
  isnumeric: /^[\p{N}\u4e00\u4e03\u4e09\u4e5d\u4e8c\u4e94\u516b\u516d\u5341\u5343\u56db\u767e\u842c\u4ebf\u4e07\u96f6\u3007]+$/u,
}; // prettier-ignore

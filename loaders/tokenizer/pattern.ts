// A pattern of tokenizer.json as a JavaScript regular expression with the same meaning, and the walk over its matches.
//
// What JavaScript lacks is written in other words: places by lookarounds, atomic groups and possessive repetitions as a
// lookahead that captures, then what it captured. A possessive repetition that could not give anything back is a plain one.

import { UnsupportedError } from "../errors.ts";
import type { Cursor, Pattern } from "./pattern-cursor.ts";
import { matcherOf } from "./pattern-matcher.ts";
import { compile } from "./pattern-program.ts";
import { isSurelyFast } from "./pattern-speed.ts";
import { classOf, readPattern, type PatternNode } from "./pattern-syntax.ts";
import { SETS } from "./pattern-sets.ts";
import { widthAt } from "./pieces.ts";

/** Milliseconds that the matches of one pattern in one text may take. */
const MAX_MATCHING_MS = 60_000;
/** Matches between two looks at the clock. */
const MATCHES_PER_LOOK = 64;

export type { Pattern } from "./pattern-cursor.ts";

/** A walk from a text's beginning. */
export function startOfText(): Cursor {
  return { at: 0, lastEnd: -1 };
}

/** Begin and end of all matches, one after the other; in an empty text there are none. */
export function allMatches(pattern: Pattern, text: string): number[] {
  if (text === "") return [];
  const spans: number[] = [];
  const cursor = startOfText();
  while (!pattern.find(text, cursor, 1 << 20, spans));
  return spans;
}

/**
 * A regular expression in Oniguruma's syntax. JavaScript's engine runs those that it surely runs in little time; all others are run by
 * a matcher that counts its steps, for nothing stops JavaScript's. Throws {@link UnsupportedError} for what is not supported.
 */
export function regexPattern(pattern: string, where: string): Pattern {
  const node = readPattern(pattern, where);
  const described = `${where}: the pattern ${JSON.stringify(pattern.length > 80 ? `${pattern.slice(0, 80)}...` : pattern)}`;
  if (!isSurelyFast(pattern, node)) return countedPattern(node, described);
  const engine = enginePattern(node, described);
  let counted: Pattern | undefined;
  return {
    find(text, cursor, budget, spans) {
      // The engine takes a long run in one call, which nothing interrupts, and fails where it is longer than its stack.
      if (text.length > LONG_RUN) cursor.hasLongRun ??= hasLongRun(text);
      if (!cursor.hasLongRun) return engine.find(text, cursor, budget, spans);
      counted ??= countedPattern(node, described);
      return counted.find(text, cursor, budget, spans);
    },
  };
}

/** White space, or characters without any, of so many code units in a row are a long run. */
const LONG_RUN = 1 << 17;

function hasLongRun(text: string): boolean {
  let begin = 0;
  let wasSpace = false;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    const isSpace = unit === 0x20 || (unit >= 9 && unit <= 13);
    if (isSpace !== wasSpace) begin = at;
    else if (at - begin >= LONG_RUN) return true;
    wasSpace = isSpace;
  }
  return false;
}

/** A pattern that JavaScript's engine runs. `described`: what messages call it. */
export function enginePattern(node: PatternNode, described: string): Pattern {
  try {
    return matchesOf(new RegExp(toJavaScript(node), "gv"), described);
  } catch (cause) {
    throw new UnsupportedError(`${described} cannot be said in JavaScript (${String(cause)})`);
  }
}

/** A pattern whose steps are counted, and limited. */
export function countedPattern(node: PatternNode, described: string): Pattern {
  return matcherOf(compile(node, described, WORD_CLASS), described);
}

/** The characters of a `v` class, one by one, or runs of them with a quantifier. */
export function classPattern(source: string): Pattern {
  return matchesOf(new RegExp(source, "gv"), "tokenizer.json");
}

/** A text, taken as it is. */
export function textPattern(wanted: string): Pattern {
  if (wanted === "") return matchesOf(/(?:)/gu, "tokenizer.json");
  return {
    find(text, cursor, budget, spans) {
      for (let count = 0; count < budget; count++) {
        const found = text.indexOf(wanted, cursor.at);
        if (found < 0) return true;
        cursor.at = found + wanted.length;
        spans.push(found, cursor.at);
      }
      return false;
    },
  };
}

/** The walk of the Rust library over matches: an empty one right behind another is passed over. */
function matchesOf(regex: RegExp, described: string): Pattern {
  return {
    find(text, cursor, budget, spans) {
      const deadline = performance.now() + MAX_MATCHING_MS;
      for (let count = 0; count < budget; count++) {
        if (count % MATCHES_PER_LOOK === 0 && performance.now() > deadline) {
          throw new UnsupportedError(
            `${described} takes more than ${MAX_MATCHING_MS / 1000} s for a text of ${text.length} characters`,
          );
        }
        if (cursor.at > text.length) return true;
        regex.lastIndex = cursor.at;
        const found = regex.exec(text);
        if (!found) return true;
        const begin = found.index;
        const end = begin + found[0].length;
        // V8 finds empty matches between the halves of a surrogate pair.
        if (begin === end && begin > 0 && widthAt(text, begin - 1) === 2) {
          cursor.at = begin + 1;
          continue;
        }
        if (begin === end && end === cursor.lastEnd) {
          cursor.at = end + widthAt(text, end);
          continue;
        }
        spans.push(begin, end);
        cursor.at = cursor.lastEnd = end;
      }
      return false;
    },
  };
}

const WORD_CLASS = classOf(SETS.word);

/** The places: a line begins after each line break but one that ends the text. */
const PLACES = {
  line: "(?:^|(?<=\\n)(?!$))",
  lineEnd: "(?=\\n|$)",
  text: "^",
  textEnd: "$",
  lastLine: "(?=\\n?$)",
  word: `(?:(?<=${WORD_CLASS})(?!${WORD_CLASS})|(?<!${WORD_CLASS})(?=${WORD_CLASS}))`,
  notWord: `(?:(?<=${WORD_CLASS})(?=${WORD_CLASS})|(?<!${WORD_CLASS})(?!${WORD_CLASS}))`,
} as const;

/** A pattern in JavaScript's syntax with the `v` flag. */
export function toJavaScript(node: PatternNode): string {
  let atomics = 0;
  const atomic = (inside: string): string => {
    const name = `a${atomics++}`;
    return `(?:(?=(?<${name}>${inside}))\\k<${name}>)`;
  };
  /** `rest`: what follows to the pattern's end, undefined where a repetition makes that unknown */
  const write = (part: PatternNode, rest: readonly PatternNode[] | undefined): string => {
    switch (part.kind) {
      case "character":
        return /[0-9A-Za-z]/.test(part.character)
          ? part.character
          : `\\u{${part.character.codePointAt(0)!.toString(16)}}`;
      case "set":
        return classOf(part);
      case "sequence":
        return part.nodes
          .map((each, i) => write(each, rest && [...part.nodes.slice(i + 1), ...rest]))
          .map((each, i) => (part.nodes[i]!.kind === "either" ? `(?:${each})` : each))
          .join("");
      case "either":
        return part.nodes.map((each) => write(each, rest)).join("|");
      case "group":
        return `(${part.name === undefined ? "?:" : `?<${part.name}>`}${write(part.node, rest)})`;
      case "atomic":
        return atomic(write(part.node, undefined));
      case "look":
        return `(?${part.isBehind ? "<" : ""}${part.isNegated ? "!" : "="}${write(part.node, undefined)})`;
      case "at":
        return PLACES[part.what];
      case "same":
        return `\\k<${part.name}>`;
      case "repeat": {
        const isSimple = part.node.kind === "set" || part.node.kind === "character";
        const inside = isSimple ? write(part.node, undefined) : `(?:${write(part.node, undefined)})`;
        const { min, max } = part;
        const count =
          min === 0 && max === Infinity
            ? "*"
            : min === 1 && max === Infinity
              ? "+"
              : min === 0 && max === 1
                ? "?"
                : max === Infinity
                  ? `{${min},}`
                  : min === max
                    ? `{${min}}`
                    : `{${min},${max}}`;
        const plain = inside + count + (part.mode === "lazy" ? "?" : "");
        return part.mode === "possessive" && !givesNothingBack(part, rest) ? atomic(plain) : plain;
      }
      default:
        part satisfies never;
        return "";
    }
  };
  return write(node, []);
}

/** True if a repetition that gave characters back could not match more than one that keeps them. */
function givesNothingBack(part: PatternNode & { kind: "repeat" }, rest: readonly PatternNode[] | undefined): boolean {
  if (rest === undefined || (part.node.kind !== "set" && part.node.kind !== "character")) return false;
  // What cannot fail never asks for anything back.
  if (rest.every((next) => next.kind === "repeat" && next.min === 0)) return true;
  for (const next of rest) {
    const one = next.kind === "repeat" ? next.node : next;
    if ((one.kind !== "set" && one.kind !== "character") || !areDisjoint(part.node, one)) return false;
    if (next.kind !== "repeat" || next.min > 0) return true;
  }
  return false;
}

type One = PatternNode & { kind: "set" | "character" };
const asSet = (one: One): { readonly items: readonly string[]; readonly isNegated: boolean } =>
  one.kind === "set" ? one : { items: [write(one.character)], isNegated: false };
const write = (character: string): string =>
  /[0-9A-Za-z]/.test(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`;

/** True if two sets surely have no character in common. */
function areDisjoint(a: One, b: One): boolean {
  const [one, other] = [asSet(a), asSet(b)];
  if (one.isNegated) return !other.isNegated && other.items.every((item) => one.items.includes(item));
  if (other.isNegated) return one.items.every((item) => other.items.includes(item));
  return false;
}

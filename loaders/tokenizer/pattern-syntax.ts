// Regular expressions as tokenizer.json has them, in the syntax of Oniguruma, which the Rust library is built with, read into
// a tree. Sets of characters are kept as the inside of a JavaScript `v` class, so that `\p{L}` stays a property.

import { UnsupportedError } from "../errors.ts";
import { caseVariants, foldsToSeveral, foldSet } from "./pattern-case.ts";
import { namedSet, SETS } from "./pattern-sets.ts";

/** A regular expression, or part of one. */
export type PatternNode =
  | { readonly kind: "character"; readonly character: string }
  /** one character of a set; `items` are the members of the class, for a comparison of sets */
  | { readonly kind: "set"; readonly items: readonly string[]; readonly isNegated: boolean }
  | { readonly kind: "sequence"; readonly nodes: readonly PatternNode[] }
  | { readonly kind: "either"; readonly nodes: readonly PatternNode[] }
  | {
      readonly kind: "repeat";
      readonly node: PatternNode;
      readonly min: number;
      readonly max: number;
      readonly mode: "greedy" | "lazy" | "possessive";
    }
  | { readonly kind: "group"; readonly node: PatternNode; readonly name: string | undefined }
  | { readonly kind: "atomic"; readonly node: PatternNode }
  | { readonly kind: "look"; readonly node: PatternNode; readonly isBehind: boolean; readonly isNegated: boolean }
  | { readonly kind: "at"; readonly what: "line" | "lineEnd" | "text" | "textEnd" | "lastLine" | "word" | "notWord" }
  | { readonly kind: "same"; readonly name: string };

interface Flags {
  readonly ignoresCase: boolean;
  readonly dotAll: boolean;
  readonly extended: boolean;
}

/** The longest real one has about 500 characters. */
const MAX_PATTERN_LENGTH = 20_000;
const MAX_DEPTH = 100;

/** Reads a pattern. `where` begins the messages of what is wrong with it. Throws {@link UnsupportedError}. */
export function readPattern(pattern: string, where: string): PatternNode {
  return new PatternReader(pattern, where).read();
}

class PatternReader {
  readonly #text: string;
  readonly #where: string;
  #at = 0;
  #groups = 0;
  #depth = 0;
  readonly #hasNames: boolean;

  constructor(text: string, where: string) {
    this.#text = text;
    this.#where = where;
    this.#hasNames = /\(\?(?:<(?![=!])|')/.test(text);
  }

  read(): PatternNode {
    if (this.#text.length > MAX_PATTERN_LENGTH) {
      throw this.#refuse(`${this.#text.length} characters; at most ${MAX_PATTERN_LENGTH} are read`);
    }
    const node = this.#either({ ignoresCase: false, dotAll: false, extended: false });
    if (this.#at < this.#text.length) throw this.#refuse("a closing bracket without an opening one");
    return node;
  }

  #refuse(what: string): UnsupportedError {
    const shown = this.#text.length > 80 ? `${this.#text.slice(0, 80)}...` : this.#text;
    return new UnsupportedError(`${this.#where}: the pattern ${JSON.stringify(shown)} has ${what}`);
  }

  #peek(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    if (!this.#peek(text)) return false;
    this.#at += text.length;
    return true;
  }

  #character(): string {
    const codePoint = this.#text.codePointAt(this.#at);
    if (codePoint === undefined) throw this.#refuse("no end");
    const character = String.fromCodePoint(codePoint);
    this.#at += character.length;
    return character;
  }

  #matchHere(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found) this.#at = pattern.lastIndex;
    return found;
  }

  #either(flags: Flags): PatternNode {
    if (++this.#depth > MAX_DEPTH) throw this.#refuse(`groups nested more than ${MAX_DEPTH} deep`);
    const nodes = [this.#sequence(flags)];
    while (this.#take("|")) nodes.push(this.#sequence(flags));
    this.#depth--;
    return nodes.length === 1 ? nodes[0]! : { kind: "either", nodes };
  }

  #sequence(flags: Flags): PatternNode {
    const nodes: PatternNode[] = [];
    while (this.#at < this.#text.length && !this.#peek("|") && !this.#peek(")")) {
      if (flags.extended && this.#matchHere(/(?:[ \t\n\r\f\v]|#[^\n]*)+/y)) continue;
      if (this.#matchHere(/\(\?#(?:[^)\\]|\\[^])*\)/y)) continue;
      // An option without a colon holds for all that follows in its group, other alternatives included.
      const option = this.#matchHere(/\(\?([imx]*)(?:-([imx]*))?\)/y);
      if (option) {
        nodes.push(this.#either(withOptions(flags, option)));
        break;
      }
      nodes.push(this.#repeats(this.#atom(flags), flags));
    }
    if (flags.ignoresCase) this.#refuseJointFolds(nodes);
    return nodes.length === 1 ? nodes[0]! : { kind: "sequence", nodes };
  }

  /** Characters in a row that fold to one, as "ss" does to \u00df, would match it in Oniguruma. */
  #refuseJointFolds(nodes: readonly PatternNode[]): void {
    let run = "";
    for (const node of nodes) {
      run = node.kind === "set" && node.items.length > 1 && !node.isNegated ? run + firstOf(node.items[0]!) : "";
      if (/(?:ss|ff|fi|fl|st)$/.test(run)) throw this.#refuse(`"${run.slice(-2)}" where case is ignored`);
    }
  }

  #repeats(atom: PatternNode, flags: Flags): PatternNode {
    let node = atom;
    for (;;) {
      if (flags.extended && this.#matchHere(/(?:[ \t\n\r\f\v]|#[^\n]*)+/y)) continue;
      const simple = this.#matchHere(/([*+?])([+?]?)/y);
      if (simple) {
        const [min, max] = simple[1] === "*" ? [0, Infinity] : simple[1] === "+" ? [1, Infinity] : [0, 1];
        const mode = simple[2] === "+" ? "possessive" : simple[2] === "?" ? "lazy" : "greedy";
        node = this.#repeat(node, min, max, mode);
        continue;
      }
      const counted = this.#matchHere(/\{(?:(\d+)(?:(,)(\d*))?|,(\d+))\}/y);
      if (!counted) return node;
      const [, least, comma, most, onlyMost] = counted;
      const min = Number(least ?? 0);
      const max =
        onlyMost !== undefined ? Number(onlyMost) : comma === undefined ? min : most ? Number(most) : Infinity;
      if (min > 100_000 || (max > 100_000 && max !== Infinity)) throw this.#refuse(`the repetition ${counted[0]}`);
      // `{n,m}+` is a repetition of a repetition, `{n}?` one that may be left out; `{5,2}` is possessive `{2,5}`.
      if (max < min) node = this.#repeat(node, max, min, "possessive");
      else if ((comma !== undefined || onlyMost !== undefined) && this.#take("?"))
        node = this.#repeat(node, min, max, "lazy");
      else node = this.#repeat(node, min, max, "greedy");
    }
  }

  #repeat(node: PatternNode, min: number, max: number, mode: "greedy" | "lazy" | "possessive"): PatternNode {
    if (node.kind === "at" || node.kind === "look") throw this.#refuse("a repetition of a place");
    return { kind: "repeat", node, min, max, mode };
  }

  #atom(flags: Flags): PatternNode {
    if (this.#peek("(")) return this.#group(flags);
    if (this.#peek("[")) return this.#class(flags);
    if (this.#take(".")) return flags.dotAll ? SETS.any : SETS.dot;
    if (this.#take("^")) return { kind: "at", what: "line" };
    if (this.#take("$")) return { kind: "at", what: "lineEnd" };
    if (this.#peek("\\")) return this.#escape(flags);
    if (/[*+?]/y.test(this.#text[this.#at]!)) throw this.#refuse("a repetition of nothing");
    return this.#literal(this.#character(), flags);
  }

  #literal(character: string, flags: Flags): PatternNode {
    if (!flags.ignoresCase) return { kind: "character", character };
    if (foldsToSeveral(character)) throw this.#refuse(`${JSON.stringify(character)} where case is ignored`);
    const variants = caseVariants(character);
    if (variants.length === 1) return { kind: "character", character };
    return { kind: "set", items: variants.map(escapeInClass), isNegated: false };
  }

  #group(flags: Flags): PatternNode {
    const inside = (within = flags): PatternNode => {
      const node = this.#either(within);
      if (!this.#take(")")) throw this.#refuse("a group without its end");
      return node;
    };
    if (this.#take("(?:")) return { kind: "group", node: inside(), name: undefined };
    if (this.#take("(?=")) return { kind: "look", node: inside(), isBehind: false, isNegated: false };
    if (this.#take("(?!")) return { kind: "look", node: inside(), isBehind: false, isNegated: true };
    if (this.#take("(?<=")) return { kind: "look", node: inside(), isBehind: true, isNegated: false };
    if (this.#take("(?<!")) return { kind: "look", node: inside(), isBehind: true, isNegated: true };
    if (this.#take("(?>")) return { kind: "atomic", node: inside() };
    const option = this.#matchHere(/\(\?([imx]*)(?:-([imx]*))?:/y);
    if (option) return { kind: "group", node: inside(withOptions(flags, option)), name: undefined };
    const named = this.#matchHere(/\(\?(?:<(\w+)>|'(\w+)')/y);
    if (named) return { kind: "group", node: inside(), name: `n${named[1] ?? named[2]}` };
    if (this.#peek("(?") || this.#peek("(*")) throw this.#refuse(`${this.#text.slice(this.#at, this.#at + 4)}`);
    this.#at++;
    // Where groups have names, those without do not capture.
    const name = this.#hasNames ? undefined : `g${++this.#groups}`;
    return { kind: "group", node: inside(), name };
  }

  #escape(flags: Flags): PatternNode {
    if (this.#take("\\w")) return SETS.word;
    if (this.#take("\\W")) return { ...SETS.word, isNegated: true };
    const set = this.#setEscape();
    if (set) return set;
    const place = this.#matchHere(/\\([AzZbB])/y)?.[1];
    if (place === "A") return { kind: "at", what: "text" };
    if (place === "z") return { kind: "at", what: "textEnd" };
    if (place === "Z") return { kind: "at", what: "lastLine" };
    if (place === "b") return { kind: "at", what: "word" };
    if (place === "B") return { kind: "at", what: "notWord" };
    if (this.#take("\\R")) return SETS.lineBreak;
    const back = this.#matchHere(/\\(?:([1-9])(?!\d)|k<(\w+)>|k'(\w+)')/y);
    if (back) {
      if (flags.ignoresCase) throw this.#refuse(`${back[0]} where case is ignored`);
      const name = back[1] ?? back[2] ?? back[3] ?? "";
      return { kind: "same", name: /^\d+$/.test(name) ? `g${name}` : `n${name}` };
    }
    return this.#literal(this.#escapedCharacter(), flags);
  }

  /** `\d`, `\p{L}` and the like, if such a one is next. */
  #setEscape(): (PatternNode & { kind: "set" }) | undefined {
    const short = this.#matchHere(/\\([dDwWsShHNO])/y)?.[1];
    if (short === "N") return SETS.dot;
    if (short === "O") return SETS.any;
    if (short !== undefined) {
      const { items } = namedSet({ d: "digit", w: "word", s: "space", h: "xdigit" }[short.toLowerCase()] ?? "")!;
      return { kind: "set", items, isNegated: short !== short.toLowerCase() };
    }
    const property = this.#matchHere(/\\([pP])\{(\^?)([^}]*)\}/y);
    if (!property) return undefined;
    const found = namedSet(property[3]!);
    if (!found) throw this.#refuse(`the property ${property[0]}, which is not known`);
    const isNegated = (property[1] === "P") !== (property[2] === "^");
    return { kind: "set", items: found.items, isNegated: isNegated !== found.isNegated };
  }

  #escapedCharacter(): string {
    const hex = this.#matchHere(/\\(?:x\{([0-9A-Fa-f]{1,8})\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{1,2}))/y);
    if (hex) {
      const codePoint = Number.parseInt(hex[1] ?? hex[2] ?? hex[3] ?? "", 16);
      if (codePoint > 0x10ffff || (hex[3] !== undefined && codePoint > 0x7f)) throw this.#refuse(`${hex[0]}`);
      return String.fromCodePoint(codePoint);
    }
    const octal = this.#matchHere(/\\0([0-7]{0,2})/y);
    if (octal) return String.fromCodePoint(Number.parseInt(octal[1] || "0", 8));
    this.#at++;
    const character = this.#character();
    const control = { t: "\t", n: "\n", r: "\r", f: "\f", v: "\v", a: "\u0007", e: "\u001b" }[character];
    if (control !== undefined) return control;
    if (/[A-Za-z0-9]/.test(character)) throw this.#refuse(`\\${character}`);
    return character;
  }

  #class(flags: Flags): PatternNode & { kind: "set" } {
    if (++this.#depth > MAX_DEPTH) throw this.#refuse(`classes nested more than ${MAX_DEPTH} deep`);
    this.#at++;
    const isNegated = this.#take("^");
    let items: string[] = [];
    const both: string[][] = [];
    let isFirst = true;
    for (;;) {
      if (this.#at >= this.#text.length) throw this.#refuse("a class without its end");
      if (this.#peek("]") && !(isFirst && this.#text.includes("]", this.#at + 1))) break;
      isFirst = false;
      if (this.#take("&&")) {
        both.push(items);
        items = [];
        continue;
      }
      items.push(...this.#classItem());
    }
    this.#at++;
    this.#depth--;
    if (both.length > 0) {
      const parts = [...both, items].map((part) => `[${part.join("")}]`);
      items = [`[${parts.join("&&")}]`];
    }
    if (flags.ignoresCase) items = foldSet(items, (what) => this.#refuse(what));
    return { kind: "set", items, isNegated };
  }

  #classItem(): readonly string[] {
    if (this.#peek("[")) {
      const posix = this.#matchHere(/\[:(\^?)(\w+):\]/y);
      if (!posix) return [classOf(this.#class({ ignoresCase: false, dotAll: false, extended: false }))];
      const found = namedSet(posix[2]!);
      if (!found) throw this.#refuse(`the class ${posix[0]}, which is not known`);
      return [classOf({ items: found.items, isNegated: (posix[1] === "^") !== found.isNegated })];
    }
    const set = this.#setEscape();
    if (set) return set.isNegated ? [classOf(set)] : set.items;
    const first = this.#classCharacter();
    if (!this.#peek("-") || this.#peek("-]")) return [escapeInClass(first)];
    if (/^-(?:\\[dDwWsShHpP]|\[)/.test(this.#text.slice(this.#at, this.#at + 3)))
      throw this.#refuse("a range to a set");
    this.#at++;
    const last = this.#classCharacter();
    if (last.codePointAt(0)! < first.codePointAt(0)!) throw this.#refuse(`the empty range ${first}-${last}`);
    return [`${escapeInClass(first)}-${escapeInClass(last)}`];
  }

  #classCharacter(): string {
    if (!this.#peek("\\")) return this.#character();
    return this.#take("\\b") ? "\b" : this.#escapedCharacter();
  }
}

/** A set as a JavaScript `v` class. */
export function classOf({
  items,
  isNegated,
}: {
  readonly items: readonly string[];
  readonly isNegated: boolean;
}): string {
  return `[${isNegated ? "^" : ""}${items.join("")}]`;
}

/** A character as it is written in a `v` class. */
export function escapeInClass(character: string): string {
  return /[0-9A-Za-z]/.test(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

function firstOf(item: string): string {
  const hex = /^\\u\{([0-9a-f]+)\}$/.exec(item)?.[1];
  return hex === undefined ? item : String.fromCodePoint(Number.parseInt(hex, 16));
}

function withOptions(flags: Flags, [, on = "", off = ""]: RegExpExecArray): Flags {
  const is = (option: string, before: boolean): boolean =>
    off.includes(option) ? false : before || on.includes(option);
  return { ignoresCase: is("i", flags.ignoresCase), dotAll: is("m", flags.dotAll), extended: is("x", flags.extended) };
}

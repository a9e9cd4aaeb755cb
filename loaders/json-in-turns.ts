// JSON from bytes, with pauses, for files so long that JSON.parse would keep the thread for a tenth of a second and more.
//
// The text is decoded piece by piece. Members of objects and lists are gathered until they have some length, and JSON.parse reads them
// together, so that it decides what is right; only what is longer than that is taken apart here, and what may be large, whose texts and
// numbers never become values of JavaScript's.

import { decodedPieces } from "./decoded-pieces.ts";
import { FormatError } from "./errors.ts";
import { LargeObject } from "./large-object.ts";
import { MANY } from "./large-table.ts";
import { LargeList, LargeMap } from "./large-values.ts";
import type { Work } from "./work.ts";

/** Characters that JSON.parse reads at a time, about. */
const PARSED_LENGTH = 1 << 16;
/** Members of what may be large between two pauses. */
const MEMBERS_PER_PAUSE = 4096;
/** Digits of a number that is read here. */
const MAX_DIGITS = 9;
/** Stops what would be taken apart without end; real files have lists in objects in objects. */
const MAX_DEPTH = 32;

/**
 * The value of a JSON text in UTF-8.
 *
 * @param mayBeLarge says of an object or a list, by the names on the way to it ("model.vocab"), whether it is given as a {@link LargeObject}
 * or a {@link LargeList}
 *
 * Throws {@link FormatError} for what is not UTF-8 or not JSON, and for another object of more than 100,000 members.
 */
export function parseJson(bytes: Uint8Array, file: string, mayBeLarge: (path: string) => boolean): Work<unknown> {
  return new Reader(bytes, file, mayBeLarge).whole();
}

class Reader {
  readonly #pieces: Iterator<string, void, undefined>;
  readonly #file: string;
  readonly #mayBeLarge: (path: string) => boolean;
  /** the text from the first character that is still needed on */
  #text = "";
  #at = 0;
  /** characters before #text */
  #before = 0;

  constructor(bytes: Uint8Array, file: string, mayBeLarge: (path: string) => boolean) {
    this.#pieces = decodedPieces(bytes, file);
    this.#file = file;
    this.#mayBeLarge = mayBeLarge;
  }

  *whole(): Work<unknown> {
    const value = yield* this.#value("", 0);
    if (this.#next() !== "") throw this.#wrong(`something follows its end`);
    return value;
  }

  #wrong(what: string): FormatError {
    return new FormatError(this.#file, `is not JSON: ${what} (character ${this.#before + this.#at})`);
  }

  /** Decodes more; false at the end of the file. Positions stay what they are. */
  #more(): boolean {
    const { done, value } = this.#pieces.next();
    if (done) return false;
    this.#text += value;
    return true;
  }

  /** Lets go of the text before the cursor. */
  #drop(): void {
    this.#before += this.#at;
    this.#text = this.#text.slice(this.#at);
    this.#at = 0;
  }

  /** The next character that is no space, the cursor before it; "" at the end. */
  #next(): string {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) this.#at++;
      else if (!Number.isNaN(code)) return this.#text[this.#at]!;
      else if (!this.#more()) return "";
    }
  }

  /** Moves the cursor behind a string that begins at it. */
  #passString(): void {
    let from = this.#at + 1;
    for (;;) {
      const quote = this.#text.indexOf('"', from);
      if (quote < 0) {
        from = Math.max(from, this.#text.length);
        if (!this.#more()) throw this.#wrong("a text does not end");
        continue;
      }
      let slashes = 0;
      while (this.#text.charCodeAt(quote - 1 - slashes) === 0x5c) slashes++;
      from = quote + 1;
      if (slashes % 2 === 0) break;
    }
    this.#at = from;
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw this.#wrong(
        cause instanceof Error ? cause.message.replace(/ \(line \d+ column \d+\)$/, "") : String(cause),
      );
    }
  }

  *#value(path: string, depth: number): Work<unknown> {
    const first = this.#next();
    const from = this.#at;
    if ((first === "{" || first === "[") && this.#passShort()) return this.#parse(this.#text.slice(from, this.#at));
    if (first === "{" && this.#mayBeLarge(path)) return yield* this.#largeObject(path, depth);
    if (first === "[" && this.#mayBeLarge(path)) return yield* this.#largeList(path, depth);
    if (first === "{" || first === "[") return yield* this.#container(first, path, depth);
    const begin = this.#at;
    if (first === '"') this.#passString();
    else while (/[^\s,[\]{}"]/.test(this.#text[this.#at] ?? (this.#more() ? this.#text[this.#at]! : ","))) this.#at++;
    return this.#parse(this.#text.slice(begin, this.#at));
  }

  /** Moves the cursor behind an object or a list that begins at it and is short; false, the cursor unmoved, for a long one. */
  #passShort(): boolean {
    const begin = this.#at;
    let depth = 0;
    while (this.#at - begin <= PARSED_LENGTH) {
      const code = this.#text.charCodeAt(this.#at);
      if (Number.isNaN(code)) {
        if (!this.#more()) break;
      } else if (code === 0x22) this.#passString();
      else {
        this.#at++;
        if (code === 0x7b || code === 0x5b) depth++;
        else if ((code === 0x7d || code === 0x5d) && --depth === 0) return true;
      }
    }
    this.#at = begin;
    return false;
  }

  *#container(open: "{" | "[", path: string, depth: number): Work<unknown> {
    const close = open === "{" ? "}" : "]";
    this.#begin(depth);
    const items: unknown[] = [];
    const members: Record<string, unknown> = {};
    let count = 0;
    const set = (name: string, value: unknown): void => {
      if (++count > MANY) this.#tooMany(path);
      // A member "__proto__" is one like any other.
      const options = { value, enumerable: true, configurable: true, writable: true };
      if (name === "__proto__") Object.defineProperty(members, name, options);
      else members[name] = value;
    };
    let isFirst = true;
    const add = (text: string): void => {
      const made = this.#parse(open + text + close);
      if (Array.isArray(made)) for (const item of made) items.push(item);
      else for (const [name, value] of Object.entries(made as object)) set(name, value);
    };
    for (;;) {
      const ended = yield* this.#gather(close);
      const gathered = this.#text.slice(0, this.#at);
      if (ended === "long") {
        // The member from the cursor on is long. What was gathered before it ends with its comma.
        if (gathered !== "") add(gathered.slice(0, gathered.lastIndexOf(",")));
        this.#drop();
        if (open === "[") items.push(yield* this.#value(`${path}[]`, depth + 1));
        else {
          if (this.#next() !== '"') throw this.#wrong("a name is missing");
          const begin = this.#at;
          this.#passString();
          const name = this.#parse(this.#text.slice(begin, this.#at)) as string;
          if (this.#next() !== ":") throw this.#wrong("a value is missing");
          this.#at++;
          const value = yield* this.#value(path === "" ? name : `${path}.${name}`, depth + 1);
          set(name, value);
        }
        const after = this.#next();
        if (after !== "," && after !== close) throw this.#wrong(`"," or "${close}" is missing`);
        this.#at++;
        this.#drop();
        if (after === close) break;
      } else {
        const isEmpty = isFirst && ended === close && gathered.trim() === "";
        if (!isEmpty && gathered.trim() === "") throw this.#wrong("a value is missing");
        if (!isEmpty) add(gathered);
        this.#at++;
        this.#drop();
        if (ended === close) break;
      }
      isFirst = false;
      yield;
    }
    return open === "[" ? items : members;
  }

  /**
   * Moves the cursor over members: to the bracket that closes them, to a comma once they have some length, or to the beginning of a
   * member that is itself long.
   */
  *#gather(close: "}" | "]"): Work<"}" | "]" | "," | "long"> {
    let depth = 0;
    let member = 0;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (Number.isNaN(code)) {
        if (!this.#more()) throw this.#wrong("it ends in the middle");
        yield;
        continue;
      }
      if (code === 0x22) {
        this.#passString();
        continue;
      }
      if (code === 0x7b || code === 0x5b) depth++;
      else if (code === 0x7d || code === 0x5d) {
        if (depth === 0) {
          if (this.#text[this.#at] !== close) throw this.#wrong(`"${close}" is missing`);
          return close;
        }
        depth--;
      } else if (code === 0x2c && depth === 0) {
        if (this.#at >= PARSED_LENGTH) return ",";
        member = this.#at + 1;
      }
      this.#at++;
      if (depth > 0 && this.#at - member > PARSED_LENGTH) {
        this.#at = member;
        return "long";
      }
    }
  }

  /** Moves the cursor behind a string that begins at it; true if its code units are those between its quotes. */
  #passPlainString(): boolean {
    for (let at = this.#at + 1; ; at++) {
      const code = this.#text.charCodeAt(at);
      if (code === 0x22) {
        this.#at = at + 1;
        return true;
      }
      // Escapes are left to JSON.parse, and so is what is wrong.
      if (code === 0x5c || code < 0x20) break;
      if (Number.isNaN(code) && (at-- < 0 || !this.#more())) throw this.#wrong("a text does not end");
    }
    this.#passString();
    return false;
  }

  /** Moves the cursor behind a whole number that begins at it, and gives it; -1, the cursor unmoved, for all that is longer or other. */
  #passCount(): number {
    if (this.#text.length - this.#at <= MAX_DIGITS + 1) this.#more();
    let at = this.#at;
    let count = 0;
    for (; at - this.#at <= MAX_DIGITS; at++) {
      const code = this.#text.charCodeAt(at);
      if (code < 0x30 || code > 0x39 || Number.isNaN(code)) break;
      count = 10 * count + code - 0x30;
    }
    const digits = at - this.#at;
    const next = this.#text.charCodeAt(at);
    const isOther = next === 0x2e || (next | 0x20) === 0x65;
    const hasZero = digits > 1 && this.#text.charCodeAt(this.#at) === 0x30;
    if (digits === 0 || digits > MAX_DIGITS || isOther || hasZero) return -1;
    this.#at = at;
    return count;
  }

  /** The cursor stands behind a member: moves it behind the comma or the bracket, true for the bracket. */
  #isEnd(close: "}" | "]"): boolean {
    const after = this.#next();
    if (after !== "," && after !== close) throw this.#wrong(`"," or "${close}" is missing`);
    this.#at++;
    if (this.#at >= PARSED_LENGTH) this.#drop();
    return after === close;
  }

  *#largeObject(path: string, depth: number): Work<LargeObject> {
    const members = new LargeMap<unknown>();
    this.#begin(depth);
    if (this.#next() === "}") this.#at++;
    else {
      for (let count = 1; ; count++) {
        if (this.#next() !== '"') throw this.#wrong("a name is missing");
        const begin = this.#at;
        const isPlain = this.#passPlainString();
        const name = isPlain ? undefined : (this.#parse(this.#text.slice(begin, this.#at)) as string);
        const place =
          name === undefined ? members.place(this.#text, begin + 1, this.#at - 1) : members.place(name, 0, name.length);
        if (this.#next() !== ":") throw this.#wrong("a value is missing");
        this.#at++;
        const isText = this.#next() === '"';
        const number = isText ? -1 : this.#passCount();
        if (number >= 0) members.setNumberAt(place, number);
        else if (isText) {
          const from = this.#at;
          this.#passString();
          members.setAt(place, this.#parse(this.#text.slice(from, this.#at)));
        } else members.setAt(place, yield* this.#value(`${path}.${members.nameAt(place)}`, depth + 1));
        if (this.#isEnd("}")) break;
        if (count % MEMBERS_PER_PAUSE === 0 || this.#at === 0) yield;
      }
    }
    this.#drop();
    return new LargeObject(members);
  }

  *#largeList(path: string, depth: number): Work<LargeList> {
    const items = new LargeList();
    this.#begin(depth);
    if (this.#next() === "]") this.#at++;
    else {
      for (let count = 1; ; count++) {
        const first = this.#next();
        if (first === '"') {
          this.#addText(items);
          items.endText();
        } else if (first !== "[" || !this.#passPair(items)) {
          items.push(yield* this.#value(`${path}[]`, depth + 1));
        }
        if (this.#isEnd("]")) break;
        if (count % MEMBERS_PER_PAUSE === 0 || this.#at === 0) yield;
      }
    }
    this.#drop();
    return items;
  }

  /** Reads a pair of texts, or of a text and a number, into a list; false, the cursor unmoved, if it is something else. */
  #passPair(items: LargeList): boolean {
    const begin = this.#at++;
    let texts = 0;
    if (this.#next() === '"') {
      this.#addText(items);
      texts = 1;
      if (this.#next() === ",") {
        this.#at++;
        const second = this.#next();
        let score: unknown;
        if (second === '"') {
          this.#addText(items);
          texts = 2;
        } else if (/[-\d]/.test(second)) {
          const from = this.#at;
          while (/[-+.\deE]/.test(this.#text[this.#at] ?? (this.#more() ? this.#text[this.#at]! : ","))) this.#at++;
          score = this.#parse(this.#text.slice(from, this.#at));
        }
        if ((texts === 2 || typeof score === "number") && this.#next() === "]") {
          this.#at++;
          if (typeof score === "number") items.endScored(score);
          else items.endPair();
          return true;
        }
      }
    }
    for (; texts > 0; texts--) items.dropText();
    this.#at = begin;
    return false;
  }

  /** Reads the string at the cursor into a list. */
  #addText(items: LargeList): void {
    const begin = this.#at;
    if (this.#passPlainString()) return items.addText(this.#text, begin + 1, this.#at - 1);
    const text = this.#parse(this.#text.slice(begin, this.#at)) as string;
    items.addText(text, 0, text.length);
  }

  /** Moves the cursor behind an opening bracket. */
  #begin(depth: number): void {
    if (depth >= MAX_DEPTH) throw this.#wrong(`it is nested more than ${MAX_DEPTH} deep`);
    this.#at++;
    this.#drop();
  }

  #tooMany(path: string): never {
    const where = path === "" ? "it" : JSON.stringify(path);
    throw new FormatError(this.#file, `${where} has more than ${MANY} members`);
  }
}

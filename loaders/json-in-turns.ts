// JSON from bytes, with pauses, for files so long that JSON.parse would keep the thread for a tenth of a second and more.
//
// The text is decoded piece by piece. Members of objects and lists are gathered until they have some length, and JSON.parse reads them
// together, so that it decides what is right; only what is longer than that is taken apart here.

import { FormatError } from "./errors.ts";
import { LargeObject } from "./large-object.ts";
import { MANY } from "./large-table.ts";
import { StringTable } from "./string-table.ts";
import type { Work } from "./work.ts";

/** Bytes that are decoded at a time. */
const DECODED_BYTES = 1 << 18;
/** Characters that JSON.parse reads at a time, about. */
const PARSED_LENGTH = 1 << 16;
/** Stops what would be taken apart without end; real files have lists in objects in objects. */
const MAX_DEPTH = 32;

/**
 * The value of a JSON text in UTF-8.
 *
 * @param mayBeLarge says of an object, by the names on the way to it ("model.vocab"), whether it may be given as a {@link LargeObject}
 *
 * Throws {@link FormatError} for what is not UTF-8 or not JSON, and for another object of more than 100,000 members.
 */
export function parseJson(bytes: Uint8Array, file: string, mayBeLarge: (path: string) => boolean): Work<unknown> {
  return new Reader(bytes, file, mayBeLarge).whole();
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #file: string;
  readonly #mayBeLarge: (path: string) => boolean;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #decoded = 0;
  /** the text from the first character that is still needed on */
  #text = "";
  #at = 0;
  /** characters before #text */
  #before = 0;

  constructor(bytes: Uint8Array, file: string, mayBeLarge: (path: string) => boolean) {
    this.#bytes = bytes;
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
    if (this.#decoded >= this.#bytes.byteLength) return false;
    const end = Math.min(this.#bytes.byteLength, this.#decoded + DECODED_BYTES);
    try {
      const isLast = end === this.#bytes.byteLength;
      this.#text += this.#decoder.decode(this.#bytes.subarray(this.#decoded, end), { stream: !isLast });
    } catch (cause) {
      throw new FormatError(this.#file, "is not UTF-8 text", { cause });
    }
    this.#decoded = end;
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
    if (first === "{" || first === "[") return yield* this.#container(first, path, depth);
    const begin = this.#at;
    if (first === '"') this.#passString();
    else while (/[^\s,[\]{}"]/.test(this.#text[this.#at] ?? (this.#more() ? this.#text[this.#at]! : ","))) this.#at++;
    return this.#parse(this.#text.slice(begin, this.#at));
  }

  *#container(open: "{" | "[", path: string, depth: number): Work<unknown> {
    if (depth >= MAX_DEPTH) throw this.#wrong(`it is nested more than ${MAX_DEPTH} deep`);
    const close = open === "{" ? "}" : "]";
    this.#at++;
    this.#drop();
    const items: unknown[] = [];
    const members = new Members(() => this.#mayBeLarge(path) || this.#tooMany(path));
    let isFirst = true;
    const add = (text: string): void => {
      const made = this.#parse(open + text + close);
      if (Array.isArray(made)) for (const item of made) items.push(item);
      else members.add(made as Record<string, unknown>);
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
          members.set(name, value);
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
    return open === "[" ? items : members.whole();
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

  #tooMany(path: string): never {
    const where = path === "" ? "it" : JSON.stringify(path);
    throw new FormatError(this.#file, `${where} has more than ${MANY} members`);
  }
}

/** The members of an object: in an object of JavaScript's until they are many, then in a table. */
class Members {
  readonly #whole: Record<string, unknown> = {};
  #count = 0;
  #table: StringTable<unknown> | undefined;
  readonly #mayBeLarge: () => boolean;

  /** `mayBeLarge` is asked, and may throw, when they become many. */
  constructor(mayBeLarge: () => boolean) {
    this.#mayBeLarge = mayBeLarge;
  }

  add(part: Readonly<Record<string, unknown>>): void {
    for (const name of Object.keys(part)) this.set(name, part[name]);
  }

  set(name: string, value: unknown): void {
    if (this.#table) this.#table.set(name, value);
    else if (++this.#count <= MANY || !this.#mayBeLarge()) {
      // A member "__proto__" is one like any other.
      const options = { value, enumerable: true, configurable: true, writable: true };
      if (name === "__proto__") Object.defineProperty(this.#whole, name, options);
      else this.#whole[name] = value;
    } else {
      this.#table = new StringTable();
      for (const known of Object.keys(this.#whole)) this.#table.set(known, this.#whole[known]);
      this.#table.set(name, value);
    }
  }

  whole(): unknown {
    return this.#table ? new LargeObject(this.#table) : this.#whole;
  }
}

/** The lines of a text in UTF-8, with pauses. The last one is left out if it is empty. */
export function* linesOf(bytes: Uint8Array, file: string): Work<string[]> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const lines: string[] = [];
  let rest = "";
  for (let at = 0; at < bytes.byteLength; at += DECODED_BYTES) {
    try {
      rest += decoder.decode(bytes.subarray(at, at + DECODED_BYTES), { stream: at + DECODED_BYTES < bytes.byteLength });
    } catch (cause) {
      throw new FormatError(file, "is not UTF-8 text", { cause });
    }
    const found = rest.split("\n");
    rest = found.pop()!;
    for (const line of found) lines.push(line);
    yield;
  }
  if (rest !== "") lines.push(rest);
  return lines;
}

// The grammar of a safetensors header: an object of tensors, each with dtype, shape and offsets, and metadata of texts. See safetensors-header.ts.

import { FormatError } from "./errors.ts";
import type { Table } from "./large-table.ts";
import { DTYPE_BITS, quote, type Dtype, type Entry } from "./tensor-info.ts";
import type { Work } from "./work.ts";

/** Stops a header of a hundred megabytes of tiny entries; the largest real models have some 100,000 tensors. */
const MAX_TENSORS = 1_000_000;
/** Stops a shape that is itself a flood; real ones have at most five. */
const MAX_RANK = 64;

/** Tensors between two pauses. */
const ENTRIES_PER_PAUSE = 512;
/** Fewest characters, where there are so many, that stand before the cursor when a member is read. */
const AHEAD = 1 << 16;

/**
 * A cursor over the header's text that knows its grammar and nothing else. It has a part of a text of many pieces at a time, since to join
 * 70 MB takes a thread a tenth of a second; a member that the part does not have whole is read again with more of the text.
 */
export class HeaderParser {
  readonly #file: string;
  readonly #pieces: readonly string[];
  /** the part of the text, which begins with character `base` of the whole, and the first piece behind it */
  #text = "";
  #base = 0;
  #next = 0;
  #at = 0;

  constructor(file: string, text: string | readonly string[]) {
    this.#file = file;
    this.#pieces = typeof text === "string" ? [text] : text;
    this.#extend(1);
  }

  /** Adds the tensors to `entries`; gives the metadata. */
  *parse(entries: Table<Entry>): Work<ReadonlyMap<string, string>> {
    let metadata: ReadonlyMap<string, string> | undefined;
    if (this.#text[0] !== "{") this.#fail("the header does not start with {");
    this.#at = 1;
    let isLast = this.#whole(() => this.#isEmpty());
    while (!isLast) {
      const member = this.#whole(() => this.#member(entries, metadata !== undefined));
      if ("metadata" in member) metadata = member.metadata;
      else entries.set(member.entry.name, member.entry);
      ({ isLast } = member);
      if (entries.size % ENTRIES_PER_PAUSE === 0) yield;
    }
    for (this.#space(); this.#at === this.#text.length && this.#extend(AHEAD); this.#space());
    if (this.#at !== this.#text.length) this.#fail("something follows the header's closing }");
    return metadata ?? new Map<string, string>();
  }

  /** Puts more of the text behind the cursor, `length` characters or what there is. Returns false where there is no more. */
  #extend(length: number): boolean {
    if (this.#next === this.#pieces.length) return false;
    const parts = [this.#text.slice(this.#at)];
    for (let added = 0; added < length && this.#next < this.#pieces.length;) {
      const piece = this.#pieces[this.#next++]!;
      added += piece.length;
      parts.push(piece);
    }
    this.#base += this.#at;
    this.#at = 0;
    this.#text = parts.join("");
    return true;
  }

  /** What `read` reads from the cursor on; it is called again, with more of the text, where it came to the end of the part. */
  #whole<Result>(read: () => Result): Result {
    if (this.#text.length - this.#at < AHEAD) this.#extend(AHEAD);
    for (;;) {
      const begin = this.#at;
      try {
        return read();
      } catch (error) {
        const isAtEnd = this.#at + "null".length >= this.#text.length;
        const failedAt = this.#at;
        this.#at = begin;
        if (isAtEnd && this.#extend(this.#text.length)) continue;
        this.#at = failedAt;
        throw error;
      }
    }
  }

  /** Reads past the end of an object without members, or to its first member. */
  #isEmpty(): boolean {
    this.#space();
    if (this.#text[this.#at] === "}") {
      this.#at++;
      return true;
    }
    if (this.#at >= this.#text.length) this.#fail(`wanted a tensor's name in quotes, found ${this.#found()}`);
    return false;
  }

  /** A member of the header, and whether it is the last. */
  #member(
    entries: Table<Entry>,
    hasMetadata: boolean,
  ): { readonly isLast: boolean } & ({ readonly entry: Entry } | { readonly metadata: ReadonlyMap<string, string> }) {
    const name = this.#key("a tensor's name");
    if (name === "__metadata__") {
      if (hasMetadata) this.#fail('"__metadata__" is there twice');
      const metadata = this.#metadata();
      return { metadata, isLast: this.#isEnd() };
    }
    if (entries.has(name)) this.#fail(`tensor ${quote(name)} is there twice`, name);
    if (entries.size >= MAX_TENSORS) this.#fail(`there are more than ${MAX_TENSORS} tensors`);
    const entry = this.#tensor(name);
    return { entry, isLast: this.#isEnd() };
  }

  #metadata(): Map<string, string> {
    const metadata = new Map<string, string>();
    if (this.#text.startsWith("null", this.#at)) {
      this.#at += 4;
      return metadata;
    }
    for (const key of this.#names("a metadata key")) {
      if (metadata.has(key)) this.#fail(`metadata key ${quote(key)} is there twice`);
      metadata.set(key, this.#string(`the metadata text of ${quote(key)}`));
    }
    return metadata;
  }

  #tensor(name: string): Entry {
    let dtype: Dtype | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    for (const field of this.#names("a field")) {
      if (field === "dtype" && dtype === undefined) dtype = this.#dtype(name);
      else if (field === "shape" && shape === undefined) shape = this.#sizes(name, "shape", MAX_RANK);
      else if (field === "data_offsets" && offsets === undefined) offsets = this.#sizes(name, "data_offsets", 2);
      else {
        const isKnown = field === "dtype" || field === "shape" || field === "data_offsets";
        this.#fail(`tensor ${quote(name)} has ${isKnown ? "two" : "an unknown field"} ${quote(field)}`, name);
      }
    }
    const [begin, end] = offsets ?? [];
    if (dtype === undefined || shape === undefined || begin === undefined || end === undefined) {
      const lacking = dtype === undefined ? "dtype" : shape === undefined ? "shape" : "data_offsets [begin, end]";
      this.#fail(`tensor ${quote(name)} has no ${lacking}`, name);
    }
    return { name, dtype, shape, begin, end, byteLength: end - begin };
  }

  #dtype(name: string): Dtype {
    const text = this.#string(`the dtype of ${quote(name)}`);
    if (!Object.hasOwn(DTYPE_BITS, text)) {
      this.#fail(
        `tensor ${quote(name)} has the dtype ${quote(text)}; known are ${Object.keys(DTYPE_BITS).join(", ")}`,
        name,
      );
    }
    return text as Dtype;
  }

  /** `[1, 2, 3]`: whole numbers without sign, point or exponent. */
  #sizes(name: string, field: string, most: number): number[] {
    const sizes: number[] = [];
    this.#expect("[", `${field} of tensor ${quote(name)}`);
    this.#space();
    if (this.#text[this.#at] === "]") {
      this.#at++;
      return sizes;
    }
    for (;;) {
      this.#space();
      const begin = this.#at;
      while (isDigit(this.#text.charCodeAt(this.#at))) this.#at++;
      const digits = this.#text.slice(begin, Math.min(this.#at, begin + 20));
      const size = Number(digits);
      if (digits === "" || (digits.length > 1 && digits.startsWith("0")) || !Number.isSafeInteger(size)) {
        const found = this.#text.slice(begin, begin + 20);
        this.#fail(`${field} of tensor ${quote(name)} has ${quote(found)}; wanted whole numbers up to 2^53`, name);
      }
      if (sizes.length === most) this.#fail(`${field} of tensor ${quote(name)} has more than ${most} numbers`, name);
      sizes.push(size);
      this.#space();
      const next = this.#text[this.#at++];
      if (next === "]") return sizes;
      if (next !== ",") {
        this.#at--;
        this.#expect(", or ]", `${field} of tensor ${quote(name)}`);
      }
    }
  }

  /** The keys of an object. Whoever takes one reads its value, the cursor standing before it, and then the next key. */
  *#names(what: string): Generator<string, void, undefined> {
    this.#expect("{", "an object");
    this.#space();
    if (this.#text[this.#at] === "}") {
      this.#at++;
      return;
    }
    do yield this.#key(what);
    while (!this.#isEnd());
  }

  /** A key and its colon, and what stands before the value. */
  #key(what: string): string {
    this.#space();
    const key = this.#string(what);
    this.#expect(":", `the value of ${quote(key)}`);
    this.#space();
    return key;
  }

  /** Reads what is behind a value: the end of its object, or a comma. */
  #isEnd(): boolean {
    this.#space();
    const next = this.#text[this.#at++];
    if (next === "}") return true;
    if (next !== ",") {
      this.#at--;
      this.#expect(", or }", "an object");
    }
    return false;
  }

  /** A JSON string. Its end is found here; its escapes are left to JSON.parse, which is exact about them. */
  #string(what: string): string {
    this.#space();
    if (this.#text[this.#at] !== '"') this.#fail(`wanted ${what} in quotes, found ${this.#found()}`);
    const begin = this.#at;
    let isPlain = true;
    for (this.#at++; ; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x22) break;
      if (Number.isNaN(code)) this.#fail(`${what} has no closing quote`);
      if (code < 0x20) this.#fail(`${what} has a bare control character`);
      if (code === 0x5c) {
        isPlain = false;
        this.#at++;
      }
    }
    this.#at++;
    if (isPlain) return this.#text.slice(begin + 1, this.#at - 1);
    try {
      return JSON.parse(this.#text.slice(begin, this.#at)) as string;
    } catch {
      return this.#fail(`${what} has an escape that JSON does not know`);
    }
  }

  #expect(character: string, where: string): void {
    this.#space();
    if (this.#text[this.#at] !== character) this.#fail(`wanted ${character} for ${where}, found ${this.#found()}`);
    this.#at++;
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  #found(): string {
    return this.#at < this.#text.length ? quote(this.#text.slice(this.#at, this.#at + 12)) : "the header's end";
  }

  #fail(problem: string, tensor?: string): never {
    throw new FormatError(this.#file, `${problem} (header, character ${this.#base + this.#at})`, { tensor });
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

// The header of a safetensors file: a JSON object that says where each tensor lies. It comes from strangers, so it is
// read by a parser of exactly this shape (docs/decisions/0014), which sees repeated keys (JSON.parse hides them), cannot be nested into, and
// takes time linear in the header's length. What it accepts is what the reference implementation (the Rust crate
// `safetensors` 0.8) accepts, minus repeated names, unknown fields and space before the header, which that lets pass.
// Invariant: the tensors of an accepted header tile the data exactly, without holes or overlaps.

import { FormatError } from "./errors.ts";
import type { Table } from "./large-table.ts";
import type { Work } from "./work.ts";

/** Bits per element of every dtype the format has, in the order in which the format sorts them. */
export const DTYPE_BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

/** An element type, by its name in the file. */
export type Dtype = keyof typeof DTYPE_BITS;

/** The facts about one tensor in a file's header. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Where its bytes lie in the file, half-open, counted from the file's first byte. */
  readonly begin: number;
  readonly end: number;
  readonly byteLength: number;
}

/** A header that has been checked. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Stops a header that would fill the memory; the reference implementation's number. */
export const MAX_HEADER_BYTES = 100_000_000;
/** Stops a header of a hundred megabytes of tiny entries; the largest real models have some 100,000 tensors. */
const MAX_TENSORS = 1_000_000;
/** Stops a shape that is itself a flood; real ones have at most five. */
const MAX_RANK = 64;

/** Tensors between two pauses. */
const ENTRIES_PER_PAUSE = 2048;

/** A tensor whose places are counted from the beginning of the data until all are checked. */
export interface Entry extends TensorInfo {
  begin: number;
  end: number;
}

/** Tensors by name: a Map, or a table for many that has them sorted and moved itself. */
export interface Entries extends Table<Entry> {
  /** its tensors by their place in the file */
  inFileOrder?(): Work<Iterable<Entry>>;
  /** adds where the data begins to all places */
  startAt?(dataBegin: number): void;
}

/**
 * Checks a header and says where each tensor lies.
 *
 * @param file what messages call the file
 * @param text the header, decoded
 * @param dataBegin where the data begins in the file: 8 + the header's length in bytes
 * @param byteLength the length of the whole file
 *
 * Throws {@link FormatError} for everything that is not exactly right.
 */
export function* parseHeader(
  file: string,
  text: string,
  dataBegin: number,
  byteLength: number,
  entries: Entries = new Map<string, Entry>(),
): Work<SafetensorsHeader> {
  const metadata = yield* new HeaderParser(file, text).parse(entries);
  let dataLength = 0;
  let count = 0;
  for (const entry of entries.inFileOrder ? yield* entries.inFileOrder() : [...entries.values()].sort(inFile)) {
    if (++count % ENTRIES_PER_PAUSE === 0) yield;
    if (entry.begin !== dataLength || entry.end < entry.begin) {
      const problem =
        entry.end < entry.begin
          ? "end before they begin"
          : `but the tensor before it ends at ${dataLength}: ${entry.begin > dataLength ? "a hole" : "an overlap"}`;
      throw new FormatError(file, `tensor ${quote(entry.name)} has offsets ${entry.begin}..${entry.end}, ${problem}`, {
        tensor: entry.name,
      });
    }
    checkSpan(file, entry);
    dataLength = entry.end;
  }
  if (dataBegin + dataLength !== byteLength) {
    const verdict =
      dataBegin + dataLength > byteLength ? "it is truncated, download it again" : "the rest belongs to no tensor";
    throw new FormatError(
      file,
      `its tensors end at byte ${dataBegin + dataLength}, but it is ${byteLength} bytes long: ${verdict}`,
    );
  }
  if (entries.startAt) entries.startAt(dataBegin);
  else {
    for (const entry of entries.values()) {
      entry.begin += dataBegin;
      entry.end += dataBegin;
    }
  }
  return { tensors: entries, metadata };
}

const inFile = (a: Entry, b: Entry): number => a.begin - b.begin || a.end - b.end;

/** Dtype and shape must account for exactly the bytes between the offsets. */
function checkSpan(file: string, entry: Entry): void {
  const told = `tensor ${quote(entry.name)} is ${entry.dtype} [${entry.shape.join(",")}]`;
  let bits: number = DTYPE_BITS[entry.dtype];
  for (const size of entry.shape) {
    bits *= size;
    // Checked at every step: a later 0 would hide that the product before it cannot be counted.
    if (!Number.isSafeInteger(bits)) {
      throw new FormatError(file, `${told}, which is more than ${Number.MAX_SAFE_INTEGER} bits`, {
        tensor: entry.name,
      });
    }
  }
  if (bits % 8 !== 0) {
    throw new FormatError(file, `${told}, ${bits} bits, which is no whole number of bytes`, { tensor: entry.name });
  }
  if (bits / 8 !== entry.end - entry.begin) {
    throw new FormatError(
      file,
      `${told}, ${bits / 8} bytes, but its offsets ${entry.begin}..${entry.end} span ${entry.end - entry.begin}`,
      { tensor: entry.name },
    );
  }
}

/** A name as messages show it: quoted, and not at any length. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 97)}...` : name);
}

/** A cursor over the header's text that knows its grammar and nothing else. */
class HeaderParser {
  readonly #file: string;
  readonly #text: string;
  #at = 0;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
  }

  /** Adds the tensors to `entries`; gives the metadata. */
  *parse(entries: Table<Entry>): Work<ReadonlyMap<string, string>> {
    let metadata: Map<string, string> | undefined;
    if (this.#text[0] !== "{") this.#fail("the header does not start with {");
    for (const name of this.#names("a tensor's name")) {
      if (name === "__metadata__") {
        if (metadata !== undefined) this.#fail('"__metadata__" is there twice');
        metadata = this.#metadata();
        continue;
      }
      if (entries.has(name)) this.#fail(`tensor ${quote(name)} is there twice`, name);
      if (entries.size >= MAX_TENSORS) this.#fail(`there are more than ${MAX_TENSORS} tensors`);
      entries.set(name, this.#tensor(name));
      if (entries.size % ENTRIES_PER_PAUSE === 0) yield;
    }
    this.#space();
    if (this.#at !== this.#text.length) this.#fail("something follows the header's closing }");
    return metadata ?? new Map<string, string>();
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
    for (;;) {
      this.#space();
      const key = this.#string(what);
      this.#expect(":", `the value of ${quote(key)}`);
      this.#space();
      yield key;
      this.#space();
      const next = this.#text[this.#at++];
      if (next === "}") return;
      if (next !== ",") {
        this.#at--;
        this.#expect(", or }", "an object");
      }
    }
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
    throw new FormatError(this.#file, `${problem} (header, character ${this.#at})`, { tensor });
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

// The header of a safetensors file: a JSON object that says where each tensor lies. It comes from strangers, so it is
// read by a parser of exactly this shape (docs/decisions/0014), which sees repeated keys (JSON.parse hides them), cannot be nested into, and
// takes time linear in the header's length. What it accepts is what the reference implementation (the Rust crate
// `safetensors` 0.8) accepts, minus repeated names, unknown fields and space before the header, which that lets pass.
// Invariant: the tensors of an accepted header tile the data exactly, without holes or overlaps.

import { FormatError } from "./errors.ts";
import type { Table } from "./large-table.ts";
import { HeaderParser } from "./header-parser.ts";
import { DTYPE_BITS, quote, type Entry, type TensorInfo } from "./tensor-info.ts";
import type { Work } from "./work.ts";

/** A header that has been checked. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Stops a header that would fill the memory; the reference implementation's number. */
export const MAX_HEADER_BYTES = 100_000_000;
/** Tensors between two pauses. */
const ENTRIES_PER_PAUSE = 2048;

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
 * @param text the header, decoded: whole, or in pieces, which are never joined to one text where they are many
 * @param dataBegin where the data begins in the file: 8 + the header's length in bytes
 * @param byteLength the length of the whole file
 *
 * Throws {@link FormatError} for everything that is not exactly right.
 */
export function* parseHeader(
  file: string,
  text: string | readonly string[],
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

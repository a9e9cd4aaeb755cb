// Safetensors files: 8 bytes of header length (little-endian), the header (safetensors-header.ts), the tensors' bytes.
// Opening reads the header and nothing else; a tensor's bytes are read when they are asked for.
// Format: https://github.com/huggingface/safetensors

import { checkOptions } from "./options.ts";
import type { ByteSource } from "./byte-source.ts";
import { decodedPieces } from "./decoded-pieces.ts";
import { FormatError, UnsupportedError } from "./errors.ts";
import { decodeBf16, decodeF16, encodeBf16, encodeF16 } from "./float16.ts";
import { MAX_HEADER_BYTES, parseHeader, type Entries, type SafetensorsHeader } from "./safetensors-header.ts";
import { planSafetensors } from "./safetensors-plan.ts";
import { DTYPE_BITS, quote, type Dtype, type TensorInfo } from "./tensor-info.ts";
import { finishInTurns, type Work } from "./work.ts";

export type { Dtype, TensorInfo } from "./tensor-info.ts";

/** The arrays in which {@link SafetensorsFile.readTensor} gives values. */
export type TensorValues =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** A tensor's values, row-major. F16 and BF16 come as float32, BOOL as bytes of 0 and 1. */
export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly values: TensorValues;
}

/** Which bytes of a tensor are read, and where they go. */
export interface ReadBytesOptions {
  /** first byte, counted from the tensor's first; 0 by default */
  readonly begin?: number | undefined;
  /** one past the last byte; the tensor's end by default */
  readonly end?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** room for exactly these bytes, as for {@link ByteSource.read} */
  readonly into?: Uint8Array | undefined;
}

/** An open safetensors file. */
export interface SafetensorsFile {
  readonly name: string;
  readonly byteLength: number;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Reads the stored bytes of a tensor, or a part of them. They may share memory with the source: do not write into them. */
  readBytes(name: string, options?: ReadBytesOptions): Promise<Uint8Array>;
  /** As `readBytes`, of tensors that lie one right behind the other in the file, in this order; null if they do not. */
  readSpan(names: readonly string[], signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array> | null;
  /**
   * Reads a tensor's values. They may share memory with the source: do not write into them.
   * Throws {@link UnsupportedError} for a dtype without a JavaScript array (F8 and smaller, C64).
   */
  readTensor(name: string, signal?: AbortSignal): Promise<StoredTensor>;
  close(): Promise<void>;
}

/**
 * Opens a safetensors file: reads and checks its header.
 *
 * Throws {@link FormatError} for anything that is not a sound safetensors file, saying what it is where that can be told.
 */
export async function openSafetensors(source: ByteSource, signal?: AbortSignal): Promise<SafetensorsFile> {
  const { name: file, byteLength } = source;
  if (byteLength < 8)
    throw await notSafetensors(source, `is ${byteLength} bytes long; a safetensors file has at least 8`);
  const lengthBytes = await source.read(0, 8, signal);
  const view = new DataView(lengthBytes.buffer, lengthBytes.byteOffset, 8);
  const headerLength = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  if (headerLength > MAX_HEADER_BYTES) {
    throw await notSafetensors(
      source,
      `says its header is ${headerLength} bytes long; at most ${MAX_HEADER_BYTES} are allowed`,
    );
  }
  if (8 + headerLength > byteLength) {
    throw await notSafetensors(
      source,
      `says its header is ${headerLength} bytes long, but only ${byteLength - 8} follow: it is truncated`,
    );
  }
  const headerBytes = await source.read(8, 8 + headerLength, signal);
  const entries: Entries =
    headerLength <= MANY_TENSORS_LENGTH ? new Map() : new (await import("./tensor-table.ts")).TensorTable();
  const work = readHeader(file, headerBytes, byteLength, entries);
  const { tensors, metadata } = await finishInTurns(work, signal);

  function find(name: string): TensorInfo {
    const info = tensors.get(name);
    if (info === undefined)
      throw new FormatError(file, `has no tensor ${quote(name)} among its ${tensors.size}`, { tensor: name });
    return info;
  }

  return {
    name: file,
    byteLength,
    tensors,
    metadata,
    async readBytes(name, options = {}) {
      checkOptions("readBytes", options, { begin: true, end: true, signal: true, into: true });
      const info = find(name);
      const { begin = 0, end = info.byteLength } = options;
      if (!(Number.isInteger(begin) && Number.isInteger(end) && begin >= 0 && begin <= end && end <= info.byteLength)) {
        throw new RangeError(
          `${file}: tensor ${quote(name)} has ${info.byteLength} bytes; ${begin}..${end} is no part of them`,
        );
      }
      return source.read(info.begin + begin, info.begin + end, options.signal, options.into);
    },
    readSpan(names, readSignal, into) {
      const infos = names.map(find);
      if (infos.some(({ begin }, i) => i > 0 && begin !== infos[i - 1]!.end)) return null;
      return source.read(infos[0]!.begin, infos.at(-1)!.end, readSignal, into);
    },
    async readTensor(name, readSignal) {
      const info = find(name);
      checkReadable(file, info);
      const bytes = await source.read(info.begin, info.end, readSignal);
      return { dtype: info.dtype, shape: info.shape, values: toValues(file, info, bytes) };
    },
    close: () => source.close(),
  };
}

/** A longer header may have so many tensors that they are kept in a table; the least that one takes is 50 bytes. */
const MANY_TENSORS_LENGTH = 1_000_000;

/** Reads a header from its bytes, with pauses: one of a hundred megabytes takes seconds. */
function* readHeader(file: string, bytes: Uint8Array, byteLength: number, entries: Entries): Work<SafetensorsHeader> {
  const pieces: string[] = [];
  for (const piece of decodedPieces(bytes, file, { what: "its header is not UTF-8 text", ignoreBOM: true })) {
    pieces.push(piece);
    yield;
  }
  return yield* parseHeader(file, pieces, 8 + bytes.byteLength, byteLength, entries);
}

/** The error for something that is not a safetensors file, with what it is instead if its first bytes tell. */
async function notSafetensors(source: ByteSource, problem: string): Promise<FormatError> {
  const bytes = await source.read(0, Math.min(source.byteLength, 512));
  const text = new TextDecoder("latin1").decode(bytes);
  const start = text.trimStart().toLowerCase();
  if (start.startsWith("version https://git-lfs")) {
    return new FormatError(
      source.name,
      "is a Git LFS pointer, not the weights themselves: run `git lfs pull` in its repository, or download the file",
    );
  }
  if (/^<(!doctype|html|head|\?xml)/.test(start)) {
    return new FormatError(
      source.name,
      "is an HTML page, not weights: download the file itself (the address may want a login)",
    );
  }
  if (text.startsWith("GGUF"))
    return new FormatError(source.name, "is a GGUF file; wanted safetensors: convert it first");
  if (text.startsWith("PK\u0003\u0004") || text.startsWith("\u0080\u0002")) {
    return new FormatError(source.name, "is a pickled PyTorch checkpoint; wanted safetensors: convert it first");
  }
  return new FormatError(source.name, problem);
}

function checkReadable(file: string, info: TensorInfo): void {
  if (!Object.hasOwn(ARRAYS, info.dtype)) {
    throw new UnsupportedError(
      `${file}: the values of tensor ${quote(info.name)} are ${info.dtype}; readable are ${Object.keys(ARRAYS).join(", ")}`,
    );
  }
}

/** How the stored bytes of each readable dtype are seen. */
const ARRAYS = {
  BOOL: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  I16: Int16Array,
  U16: Uint16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  F32: Float32Array,
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
} as const;

/** Typed arrays need aligned bytes: those that are not (or not alone in an aligned place) are copied. */
function toValues(file: string, info: TensorInfo, bytes: Uint8Array): TensorValues {
  const Values = ARRAYS[info.dtype as keyof typeof ARRAYS];
  const size = Values.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const values = new Values(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / size);
  if (info.dtype === "F16") return decodeF16(values as Uint16Array);
  if (info.dtype === "BF16") return decodeBf16(values as Uint16Array);
  if (info.dtype === "BOOL") {
    const wrong = (values as Uint8Array).find((value) => value > 1);
    if (wrong !== undefined) {
      throw new FormatError(file, `tensor ${quote(info.name)} is BOOL but holds the byte ${wrong}; wanted 0 or 1`, {
        tensor: info.name,
      });
    }
  }
  return values;
}

/** A tensor to be written. For F16 and BF16 the values are float32 (rounded to nearest even) or the bit patterns. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly values: TensorValues;
}

/**
 * Writes a safetensors file into memory: header padded to 8 bytes, tensors ordered by falling element size and then by
 * name, so that each is aligned. The same tensors always give the same bytes.
 *
 * Throws {@link FormatError} for a repeated name, or for values that do not fill dtype x shape.
 */
export function writeSafetensors(
  tensors: Iterable<TensorToWrite>,
  metadata: ReadonlyMap<string, string> | Readonly<Record<string, string>> = {},
): Uint8Array {
  const order = Object.keys(DTYPE_BITS);
  const sorted = [...tensors].sort(
    (a, b) => order.indexOf(b.dtype) - order.indexOf(a.dtype) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  const { head, places, byteLength } = planSafetensors(sorted, metadata);
  const file = new Uint8Array(byteLength);
  file.set(head);
  for (const { name, dtype, shape, values } of sorted) {
    const bytes = toBytes(dtype, values);
    const { begin, end } = places.get(name)!;
    if (bytes.byteLength !== end - begin) {
      const told = `tensor ${quote(name)} is ${dtype} [${shape.join(",")}], ${end - begin} bytes`;
      throw new FormatError("the file to be written", `${told}, but its values take ${bytes.byteLength}`, {
        tensor: name,
      });
    }
    file.set(bytes, begin);
  }
  return file;
}

function toBytes(dtype: Dtype, values: TensorValues): Uint8Array {
  let stored: ArrayBufferView = values;
  if (values instanceof Float32Array && dtype === "F16") stored = encodeF16(values);
  if (values instanceof Float32Array && dtype === "BF16") stored = encodeBf16(values);
  return new Uint8Array(stored.buffer as ArrayBuffer, stored.byteOffset, stored.byteLength);
}

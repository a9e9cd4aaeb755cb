// Files whose matrices are quantized already. Such a file says so in its metadata,
//
//   kedge.quantized           int8 or int4: what most matrices are; embedding and head may be int8 in an int4 file
//   kedge.quantized.version   1
//
// and has, in place of a matrix `m` [rows, columns] of floats, in groups of 32 neighboring columns,
//
//   m          I8 [rows, columns]             whole numbers -127..127                                 w = scale * q
//           or U8 [rows, ceil(columns / 2)]   0..15, two a byte, the first column in the lower half   w = scale * q + minimum
//   m.minima   F16 [rows, ceil(columns / 32)] with U8 only
//   m.scales   F16 [rows, ceil(columns / 32)]
//
// Rows are outputs, columns inputs, in every family: matrices that a family stores the other way round are turned.

import { FormatError, UnsupportedError } from "./errors.ts";
import { quote } from "./tensor-info.ts";
import type { PlannedTensor } from "./safetensors-plan.ts";
import type { Checkpoint, WeightInfo } from "./shards.ts";

/** The format of the matrices of a quantized file. */
export type QuantizedKind = "int8" | "int4";

/** The version of the layout that is written, and the newest that is read. */
export const QUANTIZED_VERSION = 1;
const FORMAT_KEY = "kedge.quantized";
const VERSION_KEY = "kedge.quantized.version";
const GROUP = 32;
const CODE_DTYPES = { I8: "int8", U8: "int4" } as const;

/** The tensors that a quantized matrix is kept as, in the order in which they are written. */
export interface QuantizedTensors {
  readonly kind: QuantizedKind;
  readonly names: readonly string[];
}

/** The metadata of a file of this kind. */
export function quantizedMetadata(kind: QuantizedKind): Readonly<Record<string, string>> {
  return { [FORMAT_KEY]: kind, [VERSION_KEY]: String(QUANTIZED_VERSION) };
}

/** The tensors of a matrix [rows, columns] called `name`, as a file of version 1 has them. */
export function quantizedTensors(
  kind: QuantizedKind,
  name: string,
  rows: number,
  columns: number,
): readonly PlannedTensor[] {
  const halves = { dtype: "F16", shape: [rows, Math.ceil(columns / GROUP)] } as const;
  const scales = { name: `${name}.scales`, ...halves };
  return kind === "int8"
    ? [{ name, dtype: "I8", shape: [rows, columns] }, scales]
    : [{ name, dtype: "U8", shape: [rows, Math.ceil(columns / 2)] }, { name: `${name}.minima`, ...halves }, scales];
}

function inWords(kind: string | undefined): string {
  return kind === undefined ? "not quantized" : `quantized to ${kind}`;
}

/**
 * What the weights are quantized to; null if they are not.
 *
 * Throws an {@link UnsupportedError} for a format or a version that this kedge does not know, and a {@link FormatError} where
 * files of one model say different things.
 */
export function quantizationOf({ metadata }: Pick<Checkpoint, "metadata">): QuantizedKind | null {
  let found: { readonly file: string; readonly kind: string | undefined } | undefined;
  for (const [file, entries] of metadata) {
    const kind = entries.get(FORMAT_KEY);
    const version = entries.get(VERSION_KEY);
    if (kind !== undefined || version !== undefined) {
      if (version === undefined || !/^[1-9][0-9]{0,8}$/.test(version)) {
        throw new FormatError(
          file,
          `says ${FORMAT_KEY} but ${VERSION_KEY} is ${quote(version ?? "")}; wanted a number`,
        );
      }
      if (Number(version) > QUANTIZED_VERSION) {
        throw new UnsupportedError(
          `${file}: its weights are quantized in version ${version} of the layout; this kedge reads version ${QUANTIZED_VERSION}: a newer kedge may read it`,
        );
      }
      if (kind !== "int8" && kind !== "int4") {
        throw new UnsupportedError(
          `${file}: its weights are quantized to ${quote(kind ?? "")}; known are int8 and int4`,
        );
      }
    }
    if (found && found.kind !== kind) {
      throw new FormatError(file, `is ${inWords(kind)}, but ${found.file} is ${inWords(found.kind)}`);
    }
    found = { file, kind };
  }
  return (found?.kind as QuantizedKind | undefined) ?? null;
}

/**
 * The tensors of a quantized matrix; null for one that is kept as floats.
 *
 * Throws a {@link FormatError} for parts that are missing, or not as they must be for a matrix [rows, columns].
 */
export function findQuantized(
  checkpoint: Checkpoint,
  name: string,
  rows: number,
  columns: number,
): QuantizedTensors | null {
  const codes = checkpoint.tensors.get(name);
  if (!codes || !Object.hasOwn(CODE_DTYPES, codes.dtype)) return null;
  const kind = CODE_DTYPES[codes.dtype as keyof typeof CODE_DTYPES];
  const wanted = quantizedTensors(kind, name, rows, columns);
  for (const part of wanted) {
    const info = checkpoint.tensors.get(part.name);
    const told = `${part.dtype} [${part.shape.join(",")}]`;
    if (!info) {
      throw new FormatError(codes.file, `tensor ${quote(name)} is ${kind} but has no ${quote(part.name)} ${told}`, {
        tensor: name,
      });
    }
    if (info.dtype !== part.dtype || info.shape.join() !== part.shape.join()) {
      const problem = `tensor ${quote(part.name)} is ${info.dtype} [${info.shape.join(",")}]`;
      throw new FormatError(
        info.file,
        `${problem}, but a matrix [${rows},${columns}] of ${kind}, which config.json calls for, wants ${told}`,
        { tensor: part.name },
      );
    }
  }
  return { kind, names: wanted.map((part) => part.name) };
}

/** Whether no half is an infinity or a NaN, whose exponents are all ones: two at a time, since millions are looked at while loading. */
function areFinite(bytes: Uint8Array): boolean {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  let carries = 0;
  // adding one to an exponent of ones reaches the bit above it
  for (const word of words) carries |= ((word >>> 1) & 0x3e00_3e00) + 0x0200_0200;
  return (carries & 0x4000_4000) === 0;
}

/** Throws a {@link FormatError} for an infinity or NaN among the halves of a `rows` x `groups` tensor, of which row `begin` comes first. */
export function checkHalves(
  { file, name }: Pick<WeightInfo, "file" | "name">,
  bytes: Uint8Array,
  begin: number,
  groups: number,
): void {
  if (bytes.byteOffset % 4 === 0 && bytes.byteLength % 4 === 0 && areFinite(bytes)) return;
  for (let at = 1; at < bytes.byteLength; at += 2) {
    if ((bytes[at]! & 0x7c) !== 0x7c) continue;
    const half = (at - 1) / 2;
    const place = `row ${begin + Math.floor(half / groups)}, group ${half % groups}`;
    throw new FormatError(file, `tensor ${quote(name)} has an infinity or NaN in ${place}; wanted finite numbers`, {
      tensor: name,
    });
  }
}

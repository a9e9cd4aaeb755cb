// What a call of a kernel costs whatever the implementation: the arithmetic that its definition asks for, and the bytes that
// must move at least. Divided by a measured time they say how much of a machine is used.
//
// Counted as one operation: an addition, multiplication, division, comparison, square root, exponential or activation, so a
// multiply-add is two. Bytes: every number that is read or written, once, activations and lists in four bytes, weights as
// they are packed (a quantized one with its share of the scales), and keys
// and values as their heads are. Caches are not considered.

import { headWords, type CacheFormat } from "./cache/cache.ts";
import { bytesPerWeight, type MatrixFormat } from "./matrix/matrix.ts";

/** Operations and bytes of one call. */
export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}

/** What a cost depends on besides parameters. */
export interface CostSetting {
  /** format of each matrix and cache that is present; f32 where none is given */
  readonly formats: Readonly<Record<string, MatrixFormat | CacheFormat>>;
  /** the optional buffers that are present */
  readonly present: ReadonlySet<string>;
}

/** Bytes of so many activations or list entries. */
export function numberBytes(count: number): number {
  return count * 4;
}

/** Bytes of so many weights of the matrix `name`. */
export function weightBytes({ formats }: CostSetting, name: string, count: number): number {
  return count * bytesPerWeight(formats[name] ?? "f32");
}

/** Bytes of so many heads, keys or values, of the cache `name`. */
export function headBytes({ formats }: CostSetting, name: string, heads: number, headDim: number): number {
  return numberBytes(heads * headWords({ format: (formats[name] ?? "f32") as CacheFormat, headDim }));
}

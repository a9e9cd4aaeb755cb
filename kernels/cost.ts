// What a call of a kernel costs, whatever the implementation: the arithmetic of its definition, and the bytes that must move at least.
// Divided by a measured time, they say how much of a machine is used.
//
// One operation is an addition, multiplication, division, comparison, square root, exponential or activation, so a multiply-add is two.
// Bytes count every number that is read or written, once: activations and lists as four bytes, weights as they are packed (a quantized
// weight with its share of the scales), keys and values as their heads are stored. Processor caches are not considered.

import { headWords, type CacheFormat } from "./cache/cache.ts";
import { bytesPerWeight, type MatrixFormat } from "./matrix/matrix.ts";

/** Operations and bytes of one call. */
export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}

/** What a cost depends on in addition to parameters. */
export interface CostSetting {
  /** format of each matrix and cache that is present; f32 where none is given */
  readonly formats: Readonly<Record<string, MatrixFormat | CacheFormat>>;
  /** the optional buffers that are present */
  readonly present: ReadonlySet<string>;
}

/** Bytes of `count` activations or list entries. */
export function numberBytes(count: number): number {
  return count * 4;
}

/** Bytes of `count` weights of the matrix `name`. */
export function weightBytes({ formats }: CostSetting, name: string, count: number): number {
  return count * bytesPerWeight(formats[name] ?? "f32");
}

/** Bytes of `heads` keys or values of one head each, of the cache `name`. */
export function headBytes({ formats }: CostSetting, name: string, heads: number, headDim: number): number {
  return numberBytes(heads * headWords({ format: (formats[name] ?? "f32") as CacheFormat, headDim }));
}

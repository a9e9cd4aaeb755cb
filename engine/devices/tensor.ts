// What a device holds: tensors, which programs read and write, and matrices of weights.

import { headWords, type CachePacking, type MatrixFormat } from "../../kernels/index.ts";

/** What a tensor's bytes count as in `memory()`. */
export type TensorRole = "weights" | "cache" | "activations";

/** A block of numbers, or of packed keys and values, on the device. Its length changes only through `resize`. */
export interface Tensor {
  readonly label: string;
  readonly type: "f32" | "u32";
  readonly role: TensorRole;
  /** 4-byte words; numbers, where they are not packed */
  readonly length: number;
  /** how the heads of keys and values lie in it, if it is a cache; it is written and read as words */
  readonly packing?: CachePacking | undefined;
}

/** Weights [rows, columns], packed as the device's kernels want them. */
export interface Matrix {
  readonly label: string;
  readonly rows: number;
  readonly columns: number;
  readonly format: MatrixFormat;
  readonly byteLength: number;
}

/** What implementations are chosen by: the format of a matrix or a cache. */
export function bufferFormat(buffer: Tensor | Matrix): MatrixFormat | undefined {
  return "columns" in buffer ? buffer.format : buffer.packing?.format;
}

/** How many of the numbers that a kernel's `sizes` counts a buffer has room for. */
export function numbersIn(buffer: Tensor | Matrix): number {
  if ("columns" in buffer) return buffer.rows * buffer.columns;
  const { packing, length } = buffer;
  if (!packing || packing.format === "f32") return length;
  return Math.floor(length / headWords(packing)) * packing.headDim;
}

/** How many words of a tensor so many of these numbers take. */
export function wordsFor({ packing }: Tensor, numbers: number): number {
  if (!packing || packing.format === "f32") return numbers;
  return Math.ceil(numbers / packing.headDim) * headWords(packing);
}

// The buffers of a device: tensors, which programs read and write, and matrices of weights.

import { headWords, type CachePacking, type MatrixFormat } from "../../kernels/index.ts";

/** The entry of `memory()` in which a tensor's bytes are counted. */
export type TensorRole = "weights" | "cache" | "activations";

/** A block of numbers, or of packed keys and values, on the device. Its length changes only through `resize`. */
export interface Tensor {
  readonly label: string;
  readonly type: "f32" | "u32";
  readonly role: TensorRole;
  /** in 4-byte words, which are its numbers unless it is packed */
  readonly length: number;
  /** the form of keys and values, for a cache; writes and reads of it are in words */
  readonly packing?: CachePacking | undefined;
}

/** Weights [rows, columns], packed in the layout of the device's kernels. */
export interface Matrix {
  readonly label: string;
  readonly rows: number;
  readonly columns: number;
  readonly format: MatrixFormat;
  readonly byteLength: number;
}

/** The format of a matrix or cache, by which implementations are chosen. */
export function bufferFormat(buffer: Tensor | Matrix): MatrixFormat | undefined {
  return "columns" in buffer ? buffer.format : buffer.packing?.format;
}

/** The capacity of a buffer in the numbers that a kernel's `sizes` counts. */
export function numbersIn(buffer: Tensor | Matrix): number {
  if ("columns" in buffer) return buffer.rows * buffer.columns;
  const { packing, length } = buffer;
  if (!packing || packing.format === "f32") return length;
  return Math.floor(length / headWords(packing)) * packing.headDim;
}

/** The words of a tensor that this many numbers take. */
export function wordsFor({ packing }: Tensor, numbers: number): number {
  if (!packing || packing.format === "f32") return numbers;
  return Math.ceil(numbers / packing.headDim) * headWords(packing);
}

// Weights as ONNX Runtime's kernels take them: the transposed matrix of MatMul, the blocks of MatMulNBits.

import { MICROSOFT, type OnnxGraph } from "./graph.ts";

/**
 * How matrices are stored, by what ONNX Runtime has fast kernels for: f32; int8 with a scale for each output, activations
 * rounded as they come (DynamicQuantizeMatMul); int4 in blocks of 32 with a scale and a zero each (MatMulNBits).
 */
export type OnnxFormat = "f32" | "int8" | "int4";

/** Weights of a row that share a scale in int4. */
export const BLOCK = 32;
const BITS = 4;
const LARGEST_CODE = 2 ** BITS - 1;
const LARGEST_INT8 = 127;
/** MatMulNBits: 4 lets it round the activations to int8, its fastest way. */
const ACCURACY_LEVEL = 4;

/** A row-major [rows, columns] matrix transposed. */
export function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column]!;
  }
  return result;
}

/** int8 codes [columns, rows], as MatMul wants them, and one scale a row of a row-major [rows, columns] matrix. */
export function toColumns(values: Float32Array, rows: number, columns: number) {
  const codes = new Int8Array(rows * columns);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    let largest = 0;
    for (let i = row * columns; i < (row + 1) * columns; i++) largest = Math.max(largest, Math.abs(values[i]!));
    const scale = largest / LARGEST_INT8 || 1;
    scales[row] = scale;
    for (let column = 0; column < columns; column++)
      codes[column * rows + row] = Math.round(values[row * columns + column]! / scale);
  }
  return { codes, scales };
}

/** Codes [rows, blocks, BLOCK / 2], scales and zeros [rows, blocks] of a matrix; `zeros` are packed as `codes` are. */
export interface Blocks {
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
  readonly zeros: Uint8Array;
}

/** Puts the i-th code of four bits. */
function put(codes: Uint8Array, i: number, code: number): void {
  codes[i >> 1]! |= i % 2 === 0 ? code : code << BITS;
}

/** Rounds a matrix to int4 in blocks: w = scale · (code - zero); two codes are a byte, the lower half first. */
export function toBlocks(values: Float32Array, rows: number, columns: number): Blocks {
  if (columns % BLOCK !== 0) throw new RangeError(`a row has ${columns} weights: it must be a multiple of ${BLOCK}`);
  const rowBlocks = columns / BLOCK;
  const rowZeros = Math.ceil(rowBlocks / 2);
  const scales = new Float32Array(rows * rowBlocks);
  const codes = new Uint8Array((rows * columns) / 2);
  const zeros = new Uint8Array(rows * rowZeros);
  for (let block = 0; block < scales.length; block++) {
    const begin = block * BLOCK;
    let [low, high] = [0, 0]; // zero is always among the numbers that codes stand for
    for (let i = begin; i < begin + BLOCK; i++) {
      low = Math.min(low, values[i]!);
      high = Math.max(high, values[i]!);
    }
    const scale = Math.fround((high - low) / LARGEST_CODE);
    const zero = scale === 0 ? 0 : Math.round(-low / scale);
    scales[block] = scale;
    const row = Math.floor(block / rowBlocks);
    put(zeros.subarray(row * rowZeros), block % rowBlocks, zero);
    for (let i = begin; i < begin + BLOCK; i++) {
      const code = scale === 0 ? 0 : Math.round(values[i]! / scale) + zero;
      put(codes, i, Math.min(LARGEST_CODE, Math.max(0, code)));
    }
  }
  return { codes, scales, zeros };
}

/** Adds output = input · weightᵀ, of a row-major weight [outputs, inputs]; returns the name of the output. */
export function addLinear(
  graph: OnnxGraph,
  name: string,
  input: string,
  weight: { readonly values: Float32Array; readonly outputs: number; readonly inputs: number },
  format: OnnxFormat,
): string {
  const { values, outputs, inputs } = weight;
  if (format === "f32") {
    graph.tensor(`${name}.weight`, "f32", [inputs, outputs], transposed(values, outputs, inputs));
    return graph.node("MatMul", [input, `${name}.weight`], [name]);
  }
  if (format === "int8") {
    const { codes, scales } = toColumns(values, outputs, inputs);
    graph.tensor(`${name}.codes`, "i8", [inputs, outputs], codes);
    graph.tensor(`${name}.scales`, "f32", [outputs], scales);
    const operands = [input, `${name}.codes`, `${name}.scales`];
    return graph.node("DynamicQuantizeMatMul", operands, [name], { domain: MICROSOFT });
  }
  const { codes, scales, zeros } = toBlocks(values, outputs, inputs);
  const blocks = inputs / BLOCK;
  graph.tensor(`${name}.codes`, "u8", [outputs, blocks, BLOCK / 2], codes);
  graph.tensor(`${name}.scales`, "f32", [outputs * blocks], scales);
  graph.tensor(`${name}.zeros`, "u8", [zeros.length], zeros);
  const operands = ["codes", "scales", "zeros"].map((part) => `${name}.${part}`);
  return graph.node("MatMulNBits", [input, ...operands], [name], {
    domain: MICROSOFT,
    attributes: { K: inputs, N: outputs, bits: BITS, block_size: BLOCK, accuracy_level: ACCURACY_LEVEL },
  });
}

// Tensors handed out by a forward pass, and their way out of and back into the buffers of the device.

import type { Tap } from "./taps.ts";

/** Numbers with a shape, row-major. */
export class CapturedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;

  constructor(shape: readonly number[], data: Float32Array) {
    this.shape = shape;
    this.data = data;
  }

  /**
   * The number at these indices, one for each dimension; negative ones count from the end. Throws a RangeError for another count
   * of indices, and for an index outside the shape.
   */
  at(...indices: readonly number[]): number {
    if (indices.length !== this.shape.length) {
      throw new RangeError(
        `at() was given ${indices.length} indices; the tensor [${this.shape.join(",")}] has ${this.shape.length}`,
      );
    }
    return this.data[this.#offset(indices)]!;
  }

  /**
   * The numbers of the remaining dimensions at these leading indices, as a view: `row(head, query)` of a pattern [heads, rows,
   * columns] is its row [columns]. Negative indices count from the end. Throws a RangeError as `at` does.
   */
  row(...indices: readonly number[]): Float32Array {
    if (indices.length >= this.shape.length) {
      throw new RangeError(
        `row() was given ${indices.length} indices; the tensor [${this.shape.join(",")}] has ${this.shape.length}, and takes fewer: use at()`,
      );
    }
    const length = this.shape.slice(indices.length).reduce((product, size) => product * size, 1);
    const begin = this.#offset(indices) * length;
    return this.data.subarray(begin, begin + length);
  }

  /** Row-major index over the leading dimensions. */
  #offset(indices: readonly number[]): number {
    return indices.reduce((offset, index, dimension) => {
      const size = this.shape[dimension]!;
      const own = index < 0 ? index + size : index;
      if (Number.isInteger(own) && own >= 0 && own < size) return offset * size + own;
      throw new RangeError(`index ${dimension} is ${index}: the tensor [${this.shape.join(",")}] has ${size} there`);
    }, 0);
  }
}

/** Numbers of one row of the tensor that a tap lies in; `columns` are those of a pattern. */
export function rowLength({ isPattern, isDouble, shape, stride }: Tap, columns: number): number {
  return isPattern ? shape[0]! * columns * (isDouble ? 2 : 1) : stride;
}

/** The tap's own numbers: [rows, ...shape], or [heads, rows, columns] for patterns. */
export function takeOut(tap: Tap, whole: Float32Array, rows: number, columns: number): CapturedTensor {
  const { shape, offset, width, stride } = tap;
  if (tap.isPattern) {
    const heads = shape[0]!;
    const length = rowLength(tap, columns) / heads;
    const data = new Float32Array(whole.length);
    eachPatternRow(rows, heads, length, (inTensor, inTap) => {
      data.set(whole.subarray(inTensor, inTensor + length), inTap);
    });
    return new CapturedTensor([heads, rows, length], data);
  }
  const data = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    data.set(whole.subarray(row * stride + offset, row * stride + offset + width), row * width);
  }
  return new CapturedTensor([rows, ...shape], data);
}

/** The reverse of {@link takeOut}: writes the tap's numbers `data` into the tensor's. */
export function putBack(tap: Tap, whole: Float32Array, rows: number, columns: number, data: Float32Array): void {
  const { shape, offset, width, stride } = tap;
  if (tap.isPattern) {
    const heads = shape[0]!;
    const length = rowLength(tap, columns) / heads;
    eachPatternRow(rows, heads, length, (inTensor, inTap) => {
      whole.set(data.subarray(inTap, inTap + length), inTensor);
    });
    return;
  }
  for (let row = 0; row < rows; row++) {
    whole.set(data.subarray(row * width, (row + 1) * width), row * stride + offset);
  }
}

/** Places of each row of `length` numbers in [rows, heads, length] and in [heads, rows, length]. */
function eachPatternRow(
  rows: number,
  heads: number,
  length: number,
  visit: (inTensor: number, inTap: number) => void,
): void {
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < heads; head++) visit((row * heads + head) * length, (head * rows + row) * length);
  }
}

/** Joins pieces of a tensor along its first dimension. */
export function joinRows(pieces: readonly CapturedTensor[]): CapturedTensor {
  const [first] = pieces;
  if (pieces.length === 1) return first!;
  const data = new Float32Array(pieces.reduce((sum, piece) => sum + piece.data.length, 0));
  let at = 0;
  for (const piece of pieces) {
    data.set(piece.data, at);
    at += piece.data.length;
  }
  return new CapturedTensor([pieces.reduce((sum, { shape }) => sum + shape[0]!, 0), ...first!.shape.slice(1)], data);
}

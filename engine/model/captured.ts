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

/** The rows of one text in a step, and where its keys are in the columns of a pattern. */
export interface TapRows {
  readonly begin: number;
  readonly end: number;
  /** columns of the step's patterns: the longest list of keys of its texts */
  readonly columns: number;
  /** positions of the text's keys, which are the first columns of its rows */
  readonly keys: ArrayLike<number>;
  /** tokens of the text so far: columns of the tap, of which those of dropped keys are empty */
  readonly width: number;
}

/** Numbers of one row of the tensor that a tap lies in; `columns` are those of a pattern. */
export function rowLength({ isPattern, isDouble, shape, stride }: Tap, columns: number): number {
  return isPattern ? shape[0]! * columns * (isDouble ? 2 : 1) : stride;
}

/** The tap's own numbers: [rows, ...shape], or [heads, rows, width] for patterns (scores of dropped keys are -Infinity). */
export function takeOut(tap: Tap, whole: Float32Array, place: TapRows): CapturedTensor {
  const { shape, offset, width, stride } = tap;
  const rows = place.end - place.begin;
  if (tap.isPattern) {
    const length = place.width * (tap.isDouble ? 2 : 1);
    const data = new Float32Array(shape[0]! * rows * length);
    const { keys } = place;
    const isWhole = keys.length === place.width;
    if (tap.name.endsWith("scores") && !isWhole) data.fill(-Infinity);
    eachLine(tap, place, (inTensor, inTap) => {
      if (isWhole) data.set(whole.subarray(inTensor, inTensor + keys.length), inTap);
      else for (let key = 0; key < keys.length; key++) data[inTap + keys[key]!] = whole[inTensor + key]!;
    });
    return new CapturedTensor([shape[0]!, rows, length], data);
  }
  const data = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const begin = (place.begin + row) * stride + offset;
    data.set(whole.subarray(begin, begin + width), row * width);
  }
  return new CapturedTensor([rows, ...shape], data);
}

/** The reverse of {@link takeOut}: writes the tap's numbers `data` into the tensor's. Columns of dropped keys go nowhere. */
export function putBack(tap: Tap, whole: Float32Array, place: TapRows, data: Float32Array): void {
  const { offset, width, stride } = tap;
  if (tap.isPattern) {
    const { keys } = place;
    eachLine(tap, place, (inTensor, inTap) => {
      for (let key = 0; key < keys.length; key++) whole[inTensor + key] = data[inTap + keys[key]!]!;
    });
    return;
  }
  for (let row = 0; row < place.end - place.begin; row++) {
    whole.set(data.subarray(row * width, (row + 1) * width), (place.begin + row) * stride + offset);
  }
}

/** Where each row of a pattern, of each head and source of keys, begins in [rows, heads, columns] and in [heads, rows, width]. */
function eachLine(
  { shape, isDouble }: Tap,
  { begin, end, columns, width }: TapRows,
  visit: (inTensor: number, inTap: number) => void,
): void {
  const [heads, rows, sources] = [shape[0]!, end - begin, isDouble ? 2 : 1];
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < heads; head++) {
      for (let source = 0; source < sources; source++) {
        const inTensor = (((begin + row) * heads + head) * sources + source) * columns;
        visit(inTensor, ((head * rows + row) * sources + source) * width);
      }
    }
  }
}

/** A tensor of a whole text, joined from pieces of its rows in order. */
export class JoinedTensor {
  readonly #rows: number;
  readonly #isPattern: boolean;
  #joined: CapturedTensor | undefined;
  #filled = 0;

  /** `rows` of the whole text; a pattern's rows are its second dimension. */
  constructor(rows: number, isPattern: boolean) {
    this.#rows = rows;
    this.#isPattern = isPattern;
  }

  /** The tensor. Of a text whose pieces have not all come, the missing rows are 0. */
  get tensor(): CapturedTensor {
    return this.#joined!;
  }

  /** Adds the next rows. Rows of a pattern have as many columns as the text has tokens then: later ones stay as `empty`. */
  add(piece: CapturedTensor, isDouble: boolean, empty: number): void {
    const rows = piece.shape[this.#isPattern ? 1 : 0]!;
    const begin = this.#filled;
    this.#filled += rows;
    if (rows === this.#rows) {
      this.#joined = piece;
      return;
    }
    const whole = (this.#joined ??= this.#make(piece, isDouble, empty));
    if (!this.#isPattern) return whole.data.set(piece.data, (begin * whole.data.length) / this.#rows);
    const [heads, sources] = [piece.shape[0]!, isDouble ? 2 : 1];
    const [width, wide] = [piece.shape[2]! / sources, whole.shape[2]! / sources];
    for (let line = 0; line < heads * rows * sources; line++) {
      const source = line % sources;
      const row = Math.floor(line / sources) % rows;
      const head = Math.floor(line / sources / rows);
      const to = ((head * this.#rows + begin + row) * sources + source) * wide;
      whole.data.set(piece.data.subarray(line * width, (line + 1) * width), to);
    }
  }

  #make({ shape }: CapturedTensor, isDouble: boolean, empty: number): CapturedTensor {
    const whole = this.#isPattern
      ? [shape[0]!, this.#rows, this.#rows * (isDouble ? 2 : 1)]
      : [this.#rows, ...shape.slice(1)];
    const data = new Float32Array(whole.reduce((product, size) => product * size, 1));
    return new CapturedTensor(whole, empty === 0 ? data : data.fill(empty));
  }
}

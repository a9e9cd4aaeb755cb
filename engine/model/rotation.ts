// The rotary angles of a step's rows. The host computes them, so that every device rotates by the same numbers at any position: angle = f32(position) · inverseFrequency in f32, as transformers does, its cosine and sine from f64.

import { inverseFrequencies, type Rotary } from "../../loaders/index.ts";

/** Fills [rows, dims / 2, 2] with cos and sin for each row's position. */
export class Rotation {
  readonly #rotary: Rotary;
  readonly #frequencies: Float32Array;
  /** of the last position beyond the trained length, for `dynamic` */
  #stretched: { length: number; frequencies: Float32Array } | undefined;

  constructor(rotary: Rotary) {
    this.#rotary = rotary;
    this.#frequencies = inverseFrequencies(rotary);
  }

  /** [rows, dims / 2, 2] */
  table(positions: Uint32Array): Float32Array {
    const { dims, attentionFactor } = this.#rotary;
    const half = dims / 2;
    const table = new Float32Array(positions.length * dims);
    for (const [row, position] of positions.entries()) {
      const frequencies = this.#frequenciesAt(position);
      for (let i = 0; i < half; i++) {
        const angle = Math.fround(position * frequencies[i]!);
        table[row * dims + 2 * i] = Math.cos(angle) * attentionFactor;
        table[row * dims + 2 * i + 1] = Math.sin(angle) * attentionFactor;
      }
    }
    return table;
  }

  /** Dynamic scaling depends on the length so far: here a row's own, so that a prefill equals decoding step by step. */
  #frequenciesAt(position: number): Float32Array {
    const length = position + 1;
    if (this.#rotary.kind !== "dynamic" || length <= this.#rotary.originalContextLength) return this.#frequencies;
    if (this.#stretched?.length !== length) {
      this.#stretched = { length, frequencies: inverseFrequencies(this.#rotary, length) };
    }
    return this.#stretched.frequencies;
  }
}

// Vectors that sequences read in place of token embeddings: a tensor [count, dim] on the device. The token number vocabSize + r
// names row r. A block of rows belongs to the sequence that was opened with it and to that sequence's forks.

import { RangeAllocator } from "../cache/ranges.ts";
import type { VectorBlock } from "../cache/sequence.ts";
import type { Device, Tensor } from "../devices/device.ts";

/** Hands out rows of one tensor; without any block the tensor has 1 row. */
export class VectorTable {
  /** [rows, dim] */
  readonly tensor: Tensor;
  readonly #device: Device;
  readonly #dim: number;
  /** how many sequences hold each block */
  readonly #holders = new Map<VectorBlock, number>();
  #rows = new RangeAllocator(1);

  constructor(device: Device, dim: number) {
    this.#device = device;
    this.#dim = dim;
    this.tensor = device.createTensor("vectors", "f32", dim, "activations");
  }

  /** Rows of the tensor; at least 1. */
  get rowCount(): number {
    return this.#rows.length;
  }

  /** Writes vectors [count, dim] into a block with one holder. Throws a RangeError for numbers that are not whole vectors. */
  add(data: Float32Array): VectorBlock {
    const count = data.length / this.#dim;
    if (!Number.isInteger(count) || count === 0) {
      throw new RangeError(`vectors of ${data.length} numbers were given; each has ${this.#dim}`);
    }
    let begin = this.#rows.allocate(count);
    if (begin === undefined) {
      const rowCount = Math.max(this.#rows.length + count, this.#rows.length * 2);
      this.#device.resize(this.tensor, rowCount * this.#dim);
      this.#rows.grow(rowCount);
      begin = this.#rows.allocate(count)!;
    }
    this.#device.write({ tensor: this.tensor, data, offset: begin * this.#dim });
    const block = { begin, count };
    this.#holders.set(block, 1);
    return block;
  }

  /** Adds a holder. */
  retain(block: VectorBlock): void {
    this.#holders.set(block, (this.#holders.get(block) ?? 0) + 1);
  }

  /** Takes a holder away; a block without holders is freed, and the tensor shrinks once all are. */
  release(block: VectorBlock): void {
    const left = (this.#holders.get(block) ?? 1) - 1;
    if (left > 0) {
      this.#holders.set(block, left);
      return;
    }
    this.#holders.delete(block);
    this.#rows.release(block.begin, block.count);
    if (this.#holders.size > 0) return;
    this.#rows = new RangeAllocator(1);
    this.#device.resize(this.tensor, this.#dim);
  }

  /** Frees the tensor. */
  dispose(): void {
    this.#device.destroy(this.tensor);
  }
}

// Staging buffers: results are copied to them and mapped from there. They are kept for later reads of about the same size.

import { MAP_READ, USAGE } from "./constants.ts";
import type { GpuTensor } from "./memory.ts";
import { waitFor } from "./wait.ts";

/** Numbers begin..end of a tensor. */
export interface GpuRead {
  readonly tensor: GpuTensor;
  readonly begin: number;
  readonly end: number;
}

/** Bytes of the smallest staging buffer. */
const SMALLEST = 4096;
/** Free staging buffers kept of each size. */
const KEPT = 4;

/** Staging buffers of one device. */
export class Staging {
  readonly #device: GPUDevice;
  readonly #free = new Map<number, GPUBuffer[]>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** A buffer for these reads, whose copies are then encoded in their order. */
  stage(reads: readonly GpuRead[]): StagedReads {
    const total = reads.reduce((sum, { begin, end }) => sum + (end - begin) * 4, 0);
    const size = Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(Math.max(1, total))));
    let free = this.#free.get(size);
    if (!free) this.#free.set(size, (free = []));
    const usage = USAGE.mapRead | USAGE.copyDst;
    return new StagedReads(reads, free.pop() ?? this.#device.createBuffer({ label: "staging", size, usage }), free);
  }

  destroy(): void {
    for (const buffers of this.#free.values()) for (const buffer of buffers) buffer.destroy();
    this.#free.clear();
  }
}

/** Pending reads through one staging buffer. */
export class StagedReads {
  readonly #reads: readonly GpuRead[];
  readonly #buffer: GPUBuffer;
  /** returns the buffer to the device */
  readonly #free: GPUBuffer[];
  #encoded = 0;
  #offset = 0;

  constructor(reads: readonly GpuRead[], buffer: GPUBuffer, free: GPUBuffer[]) {
    this.#reads = reads;
    this.#buffer = buffer;
    this.#free = free;
  }

  /** Encodes the copies of the next `count` reads. */
  encode(encoder: GPUCommandEncoder, count: number): void {
    for (const last = this.#encoded + count; this.#encoded < last; this.#encoded++) {
      const { tensor, begin, end } = this.#reads[this.#encoded]!;
      const bytes = (end - begin) * 4;
      if (bytes > 0) encoder.copyBufferToBuffer(tensor.buffer, begin * 4, this.#buffer, this.#offset, bytes);
      this.#offset += bytes;
    }
  }

  /** The numbers, once the commands are submitted and done. */
  async fetch(): Promise<(Float32Array | Uint32Array)[]> {
    const { size } = this.#buffer;
    try {
      await waitFor(this.#buffer.mapAsync(MAP_READ, 0, size));
    } catch (error) {
      this.drop();
      throw error;
    }
    const mapped = this.#buffer.getMappedRange(0, size);
    let next = 0;
    const arrays = this.#reads.map(({ tensor, begin, end }) => {
      const from = next;
      next += (end - begin) * 4;
      const View = tensor.type === "u32" ? Uint32Array : Float32Array;
      return new View(mapped, from, end - begin).slice();
    });
    this.#buffer.unmap();
    if (this.#free.length < KEPT) this.#free.push(this.#buffer);
    else this.#buffer.destroy();
    return arrays;
  }

  /** Abandons the reads and returns the buffer. */
  drop(): void {
    this.#buffer.destroy();
  }
}

// Buffers that results are copied to and mapped from, kept for the next read of about the same size.

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

  /** Encodes the copies of all reads into one buffer; returns how to fetch them once the commands are submitted. */
  stage(encoder: GPUCommandEncoder, reads: readonly GpuRead[]): () => Promise<(Float32Array | Uint32Array)[]> {
    const total = reads.reduce((sum, { begin, end }) => sum + (end - begin) * 4, 0);
    const size = Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(Math.max(1, total))));
    const free = this.#free.get(size) ?? [];
    this.#free.set(size, free);
    const buffer =
      free.pop() ?? this.#device.createBuffer({ label: "staging", size, usage: USAGE.mapRead | USAGE.copyDst });
    let offset = 0;
    for (const { tensor, begin, end } of reads) {
      if (end > begin) encoder.copyBufferToBuffer(tensor.buffer, begin * 4, buffer, offset, (end - begin) * 4);
      offset += (end - begin) * 4;
    }
    return async () => {
      try {
        await waitFor(buffer.mapAsync(MAP_READ, 0, size));
      } catch (error) {
        buffer.destroy();
        throw error;
      }
      const mapped = buffer.getMappedRange(0, size);
      let next = 0;
      const arrays = reads.map(({ tensor, begin, end }) => {
        const from = next;
        next += (end - begin) * 4;
        const View = tensor.type === "u32" ? Uint32Array : Float32Array;
        return new View(mapped, from, end - begin).slice();
      });
      buffer.unmap();
      if (free.length < KEPT) free.push(buffer);
      else buffer.destroy();
      return arrays;
    };
  }

  destroy(): void {
    for (const buffers of this.#free.values()) for (const buffer of buffers) buffer.destroy();
    this.#free.clear();
  }
}

// The adapter's own clock, where it has the feature "timestamp-query": nanoseconds at the beginning and at the end of a
// compute pass, as the specification counts them (a browser may round them to 0.1 ms). One pass is timed at a time.

import { MAP_READ, USAGE } from "./constants.ts";
import { waitFor } from "./wait.ts";

/** Two 64-bit counts. */
const STAMP_BYTES = 16;

/** Times compute passes. */
export class GpuClock {
  readonly #device: GPUDevice;
  readonly #stamps: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #mapped: GPUBuffer;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#stamps = device.createQuerySet({ label: "clock", type: "timestamp", count: 2 });
    const size = STAMP_BYTES;
    this.#resolved = device.createBuffer({ label: "clock", size, usage: USAGE.queryResolve | USAGE.copySrc });
    this.#mapped = device.createBuffer({ label: "clock", size, usage: USAGE.mapRead | USAGE.copyDst });
  }

  /** Seconds of the pass that `submit` hands to the queue with these timestamp writes. */
  time(submit: (writes: GPUComputePassTimestampWrites) => void): Promise<number> {
    const timed = this.#turn.then(async () => {
      submit({ querySet: this.#stamps, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 });
      const encoder = this.#device.createCommandEncoder({ label: "clock" });
      encoder.resolveQuerySet(this.#stamps, 0, 2, this.#resolved, 0);
      encoder.copyBufferToBuffer(this.#resolved, 0, this.#mapped, 0, STAMP_BYTES);
      this.#device.queue.submit([encoder.finish()]);
      await waitFor(this.#mapped.mapAsync(MAP_READ));
      const [begin, end] = new BigUint64Array(this.#mapped.getMappedRange().slice(0));
      this.#mapped.unmap();
      return Number(end! - begin!) / 1e9;
    });
    this.#turn = timed.catch(() => undefined);
    return timed;
  }

  destroy(): void {
    this.#stamps.destroy();
    this.#resolved.destroy();
    this.#mapped.destroy();
  }
}

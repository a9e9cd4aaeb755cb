// Slots for keys and values: one block [slots, 2, kvHeads, headDim] in each of the pool's layers, the same slot in all of them.
// Slots are counted; a slot is free exactly when its count is 0. Freed slots are reused, the last freed first.
//
// Room: a pool that is full grows by half; one that has more than 2 · live + 64 slots is compacted and shrunk.

import { headWords, type CachePacking } from "../../kernels/index.ts";
import type { Device, Tensor } from "../devices/device.ts";

/** A move of one slot's contents. */
export interface SlotMove {
  readonly from: number;
  readonly to: number;
}

/** Makes the tensor of a layer: its type, length, role and packing. */
export type MakeCache = (
  layer: number,
  type: "f32" | "u32",
  length: number,
  role: "cache",
  packing: CachePacking,
) => Tensor;

/** Slots that a pool may have beyond twice those alive. */
const SPARE_SLOTS = 64;

export class SlotPool {
  /** one per layer of the pool, [slots, 2, kvHeads, headDim] */
  readonly caches: readonly Tensor[];
  readonly #device: Device;
  /** words of a slot in one layer */
  readonly #slotLength: number;
  readonly #maxSlots: number;
  #counts = new Uint32Array(SPARE_SLOTS);
  #free: number[] = [];
  /** slots that have ever been taken are below this */
  #used = 0;
  #live = 0;

  /** A pool over these layers, of so many heads packed in this way. */
  constructor(
    device: Device,
    layers: readonly number[],
    kvHeads: number,
    packing: CachePacking,
    maxSlots: number,
    makeCache: MakeCache,
  ) {
    const slotLength = 2 * kvHeads * headWords(packing);
    const type = packing.format === "f32" ? "f32" : "u32";
    this.#device = device;
    this.#slotLength = slotLength;
    this.#maxSlots = maxSlots;
    this.caches = layers.map((layer) => makeCache(layer, type, SPARE_SLOTS * slotLength, "cache", packing));
  }

  get slotCount(): number {
    return this.#counts.length;
  }

  get live(): number {
    return this.#live;
  }

  /** Slots that can be taken before the pool must grow. */
  get room(): number {
    return Math.min(this.slotCount, this.#maxSlots) - this.#live;
  }

  /** Bytes of one slot over the pool's layers. */
  get slotBytes(): number {
    return this.#slotLength * this.caches.length * Uint32Array.BYTES_PER_ELEMENT;
  }

  /** True if the pool has more slots than it should keep for those alive. */
  get isSparse(): boolean {
    return this.slotCount > 2 * this.#live + SPARE_SLOTS;
  }

  /** Throws a RangeError if `count` more slots would be more than the pool may have. */
  checkRoom(count: number): void {
    const needed = this.#live + count;
    if (needed <= this.#maxSlots) return;
    throw new RangeError(
      `the cache needs ${needed} slots, but may have ${this.#maxSlots}: close sequences, choose a smaller cache or raise the limit`,
    );
  }

  /** Makes sure that `count` more slots can be taken. Throws as {@link checkRoom} does, before anything is changed. */
  reserve(count: number): void {
    this.checkRoom(count);
    const needed = this.#live + count;
    if (needed > this.slotCount)
      this.#resize(Math.min(this.#maxSlots, Math.max(needed, Math.ceil(this.slotCount * 1.5))));
  }

  take(): number {
    const slot = this.#free.pop() ?? this.#used++;
    this.#counts[slot] = 1;
    this.#live++;
    return slot;
  }

  /** One more list has the slot. */
  retain(slot: number): void {
    this.#counts[slot]!++;
  }

  /** One list fewer has the slot; true if it is free now. */
  release(slot: number): boolean {
    if (--this.#counts[slot]! > 0) return false;
    this.#free.push(slot);
    this.#live--;
    return true;
  }

  /**
   * Plans a compaction: slots alive above the new count move to free ones below it. The caller moves the contents and
   * renumbers its lists before it calls {@link shrink}.
   */
  planCompaction(): { readonly slotCount: number; readonly moves: readonly SlotMove[] } {
    const slotCount = Math.max(SPARE_SLOTS, this.#live + Math.ceil(this.#live / 4));
    const free: number[] = [];
    for (let slot = 0; slot < Math.min(slotCount, this.#used); slot++) if (this.#counts[slot] === 0) free.push(slot);
    for (let slot = this.#used; slot < slotCount; slot++) free.push(slot);
    const moves: SlotMove[] = [];
    for (let from = slotCount; from < this.#used; from++) {
      if (this.#counts[from]! > 0) moves.push({ from, to: free[moves.length]! });
    }
    return { slotCount, moves };
  }

  /** Drops the slots from `slotCount` on, after `moves` were made. */
  shrink(slotCount: number, moves: readonly SlotMove[]): void {
    for (const { from, to } of moves) this.#counts[to] = this.#counts[from]!;
    this.#used = Math.min(slotCount, Math.max(this.#used, ...moves.map(({ to }) => to + 1)));
    this.#resize(slotCount);
    this.#free = [];
    for (let slot = this.#used - 1; slot >= 0; slot--) if (this.#counts[slot] === 0) this.#free.push(slot);
  }

  dispose(): void {
    for (const cache of this.caches) this.#device.destroy(cache);
  }

  #resize(slotCount: number): void {
    for (const cache of this.caches) this.#device.resize(cache, slotCount * this.#slotLength);
    const counts = new Uint32Array(slotCount);
    counts.set(this.#counts.subarray(0, slotCount));
    this.#counts = counts;
  }
}

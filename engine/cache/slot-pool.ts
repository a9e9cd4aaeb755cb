// A pool of slots for keys and values: one tensor [slots, 2, kvHeads, headDim] in each of the pool's layers; a slot is the same row in
// all of them. Slots have reference counts; a slot is free exactly when its count is 0. The slot freed last is reused first.
//
// Size: a full pool grows by half; a pool with more than 2 · live + 64 slots is compacted and shrunk.

import { headWords, type CachePacking } from "../../kernels/index.ts";
import type { Device, Tensor } from "../devices/device.ts";

/** A move of one slot's contents. */
export interface SlotMove {
  readonly from: number;
  readonly to: number;
}

/** Creates the tensor of a layer. */
export type MakeCache = (
  layer: number,
  type: "f32" | "u32",
  length: number,
  role: "cache",
  packing: CachePacking,
) => Tensor;

/** Slots that a pool may have in addition to twice its live ones. */
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
  /** slots from here on were never used */
  #used = 0;
  #live = 0;

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

  /** True if the pool has many more slots than live ones and should be compacted. */
  get isSparse(): boolean {
    return this.slotCount > 2 * this.#live + SPARE_SLOTS;
  }

  /** Throws a RangeError if `count` more slots would exceed the limit. */
  checkRoom(count: number): void {
    const needed = this.#live + count;
    if (needed <= this.#maxSlots) return;
    throw new RangeError(
      `the cache needs ${needed} slots, but may have ${this.#maxSlots}: close sequences, choose a smaller cache or raise the limit`,
    );
  }

  /** Grows the pool, if necessary, so that `count` more slots can be taken. Throws as {@link checkRoom} does, before anything changes. */
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

  /** Adds a reference to the slot. */
  retain(slot: number): void {
    this.#counts[slot]!++;
  }

  /** Removes a reference to the slot; returns true if it is free now. */
  release(slot: number): boolean {
    if (--this.#counts[slot]! > 0) return false;
    this.#free.push(slot);
    this.#live--;
    return true;
  }

  /**
   * Returns the moves of a compaction: live slots above the new count go to free ones below it. The caller moves the contents and
   * renumbers its lists before it calls {@link shrink}.
   */
  compaction(): { readonly slotCount: number; readonly moves: readonly SlotMove[] } {
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

  /** Frees the slots from `slotCount` on, after `moves` were made. */
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

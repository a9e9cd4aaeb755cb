// The key/value cache. Per layer one block [slots, 2, kvHeads, headDim] on the device; a sequence is a list of slot numbers,
// each with its position and mark (2 · segment + isAnchor). Slots are counted: forking a sequence copies numbers, not tensors.
//
// Invariant: a slot's count is the number of sequences that list it, and a slot is free exactly when its count is 0.

import type { Device, Tensor, Write } from "../devices/device.ts";
import type { DecoderSequence } from "../generate/decoder.ts";
import { RangeAllocator } from "./ranges.ts";

/** Words of a key's entry on the device: slot, position, mark, bias (see the kernel `attend`). */
const ENTRY_WORDS = 4;
/** Words of a row's range: begin, end, position, mark. */
export const RANGE_WORDS = 4;
const FIRST_SLOTS = 64;
const FIRST_ENTRIES = 256;

/** Shape of the cache. */
export interface CacheShape {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** most slots there may be */
  readonly maxSlots: number;
}

/** Bytes of keys and values: in slots that are alive, in all slots, and the most there has been. */
export interface CacheBytes {
  readonly live: number;
  readonly allocated: number;
  readonly peak: number;
}

/** A sequence's keys. Its numbers change only through the store. */
export class Sequence implements DecoderSequence {
  /** tokens fed so far = position of the next */
  length = 0;
  /** number of the segment that the next token belongs to */
  segment = 0;
  /** keys in the list */
  keys = 0;
  /** [keys, 4] with room to grow */
  entries = new Uint32Array(32 * ENTRY_WORDS);
  /** where the list lies on the device, in entries */
  base = 0;
  /** entries there is room for at `base` */
  capacity = 0;
  /** entries from here on differ from the device's */
  changedFrom = 0;
  isOpen = true;
}

/** The rows of one step as the kernels want them. */
export interface StepPlan {
  /** [rows]: where each row's key and value go */
  readonly slots: Uint32Array;
  /** [rows, 4] */
  readonly ranges: Uint32Array;
  /** changed parts of the lists of keys */
  readonly writes: readonly Write[];
  /** longest range of a row, in entries */
  readonly longest: number;
}

export class CacheStore {
  /** one per layer, [slots, 2, kvHeads, headDim] */
  readonly caches: readonly Tensor[];
  readonly entries: Tensor;
  readonly #device: Device;
  readonly #shape: CacheShape;
  readonly #regions = new RangeAllocator(FIRST_ENTRIES);
  /** how many sequences list each slot */
  #counts = new Uint32Array(FIRST_SLOTS);
  /** free slots below the high-water mark, last freed first */
  readonly #free: number[] = [];
  #used = 0;
  #slotCount = FIRST_SLOTS;
  #live = 0;
  #peak = 0;

  constructor(device: Device, shape: CacheShape) {
    this.#device = device;
    this.#shape = shape;
    this.caches = Array.from({ length: shape.layers }, (_, layer) =>
      device.createTensor(`blocks.${layer}.attn.cache`, "f32", FIRST_SLOTS * this.slotLength, "cache"),
    );
    this.entries = device.createTensor("cache.entries", "u32", FIRST_ENTRIES * ENTRY_WORDS, "activations");
  }

  /** Numbers of one slot in one layer. */
  get slotLength(): number {
    return 2 * this.#shape.kvHeads * this.#shape.headDim;
  }

  get slotCount(): number {
    return this.#slotCount;
  }

  get entryCount(): number {
    return this.#regions.length;
  }

  /** Bytes of keys and values over all layers. */
  bytes(): CacheBytes {
    const slotBytes = this.slotLength * this.#shape.layers * Float32Array.BYTES_PER_ELEMENT;
    return { live: this.#live * slotBytes, allocated: this.#slotCount * slotBytes, peak: this.#peak * slotBytes };
  }

  open(): Sequence {
    return new Sequence();
  }

  /** A sequence with the same keys; they are shared until one of the two drops them. */
  fork(sequence: Sequence): Sequence {
    const copy = new Sequence();
    copy.length = sequence.length;
    copy.segment = sequence.segment;
    copy.keys = sequence.keys;
    copy.entries = sequence.entries.slice();
    for (let key = 0; key < sequence.keys; key++) this.#counts[sequence.entries[key * ENTRY_WORDS]!]!++;
    return copy;
  }

  /** Gives the sequence's keys back. Closing twice does nothing. */
  close(sequence: Sequence): void {
    if (!sequence.isOpen) return;
    sequence.isOpen = false;
    for (let key = 0; key < sequence.keys; key++) this.#drop(sequence.entries[key * ENTRY_WORDS]!);
    if (sequence.capacity > 0) this.#regions.release(sequence.base, sequence.capacity);
    sequence.keys = 0;
    sequence.capacity = 0;
  }

  /**
   * Appends tokens' keys to sequences and says what the step must write. `isAnchor` tells which tokens end a segment.
   * Throws a RangeError, before anything is changed, when the slots would be more than the store may have.
   */
  append(
    parts: readonly { readonly sequence: Sequence; readonly tokens: readonly number[] }[],
    isAnchor: (token: number) => boolean,
  ): StepPlan {
    const rows = parts.reduce((sum, { tokens }) => sum + tokens.length, 0);
    this.#reserve(rows);
    const slots = new Uint32Array(rows);
    const ranges = new Uint32Array(rows * RANGE_WORDS);
    let row = 0;
    for (const { sequence, tokens } of parts) {
      this.#makeRoom(sequence, sequence.keys + tokens.length);
      for (const token of tokens) {
        const slot = this.#take();
        const anchors = isAnchor(token);
        const mark = sequence.segment * 2 + Number(anchors);
        sequence.entries.set([slot, sequence.length, mark, 0], sequence.keys * ENTRY_WORDS);
        sequence.keys++;
        slots[row] = slot;
        ranges.set([sequence.base, sequence.base + sequence.keys, sequence.length, mark], row * RANGE_WORDS);
        sequence.length++;
        if (anchors) sequence.segment++;
        row++;
      }
    }
    const writes = new Set(parts.map(({ sequence }) => sequence));
    return {
      slots,
      ranges,
      writes: [...writes].map((sequence) => this.#flush(sequence)),
      longest: Math.max(...parts.map(({ sequence }) => sequence.keys)),
    };
  }

  dispose(): void {
    for (const cache of this.caches) this.#device.destroy(cache);
    this.#device.destroy(this.entries);
  }

  /** Makes sure that `count` more slots can be taken. */
  #reserve(count: number): void {
    const needed = this.#live + count;
    const { maxSlots } = this.#shape;
    if (needed > maxSlots) {
      throw new RangeError(
        `the cache needs ${needed} slots, but may have ${maxSlots}: close sequences or raise the limit`,
      );
    }
    if (needed <= this.#slotCount) return;
    const slotCount = Math.min(maxSlots, Math.max(needed, Math.ceil(this.#slotCount * 1.5)));
    for (const cache of this.caches) this.#device.resize(cache, slotCount * this.slotLength);
    const counts = new Uint32Array(slotCount);
    counts.set(this.#counts);
    this.#counts = counts;
    this.#slotCount = slotCount;
  }

  #take(): number {
    const slot = this.#free.pop() ?? this.#used++;
    this.#counts[slot] = 1;
    this.#live++;
    this.#peak = Math.max(this.#peak, this.#live);
    return slot;
  }

  #drop(slot: number): void {
    const count = --this.#counts[slot]!;
    if (count > 0) return;
    this.#free.push(slot);
    this.#live--;
  }

  /** Room for `keys` entries in the sequence's list, here and on the device. */
  #makeRoom(sequence: Sequence, keys: number): void {
    if (keys * ENTRY_WORDS > sequence.entries.length) {
      const entries = new Uint32Array(Math.max(keys, sequence.keys * 2) * ENTRY_WORDS);
      entries.set(sequence.entries);
      sequence.entries = entries;
    }
    if (keys <= sequence.capacity) return;
    if (sequence.capacity > 0) this.#regions.release(sequence.base, sequence.capacity);
    sequence.capacity = Math.max(keys, Math.ceil(sequence.capacity * 1.5), 64);
    let base = this.#regions.allocate(sequence.capacity);
    if (base === undefined) {
      this.#regions.grow(Math.max(this.#regions.length * 2, this.#regions.length + sequence.capacity));
      this.#device.resize(this.entries, this.#regions.length * ENTRY_WORDS);
      base = this.#regions.allocate(sequence.capacity)!;
    }
    sequence.base = base;
    sequence.changedFrom = 0;
  }

  #flush(sequence: Sequence): Write {
    const begin = sequence.changedFrom;
    sequence.changedFrom = sequence.keys;
    return {
      tensor: this.entries,
      data: sequence.entries.slice(begin * ENTRY_WORDS, sequence.keys * ENTRY_WORDS),
      offset: (sequence.base + begin) * ENTRY_WORDS,
    };
  }
}

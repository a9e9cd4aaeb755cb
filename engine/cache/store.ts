// The key/value cache: pools of slots, and sequences as lists of slot numbers. Forking a sequence copies slot numbers and no tensors;
// evicting a key drops its number. One pool over all layers serves sequences whose layers keep the same keys; one pool per layer
// serves those whose layers keep different keys.
//
// The store's changes on the device (growing, moving, shrinking) take effect in the order of the calls, between steps.

import { cacheMove, type CacheFormat } from "../../kernels/index.ts";
import type { Device, Executable, Matrix, Tensor, Write } from "../devices/device.ts";
import { ProgramBuilder, variable } from "../devices/program.ts";
import { segmentAfter } from "../attention/anchors.ts";
import type { CacheBytes, CacheStatistics } from "./bytes.ts";
import { CacheMeter, type CacheSizes } from "./meter.ts";
import { FedTokens } from "./fed-tokens.ts";
import { ENTRY_WORDS, KeyList } from "./key-list.ts";
import { RangeAllocator } from "./ranges.ts";
import { type MakeCache, SlotPool, type SlotMove } from "./slot-pool.ts";
import { checkOpen, distinctSlots, StoredSequence } from "./stored-sequence.ts";

/** Words of a row's range: begin, end, position, mark. */
export const RANGE_WORDS = 4;
const FIRST_ENTRIES = 256;

/** Shape of the cache. */
export interface CacheShape {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** format of the numbers, f32 by default */
  readonly format?: CacheFormat;
  /** each layer keeps its own keys */
  readonly isPerLayer: boolean;
  /** most slots of a pool */
  readonly maxSlots: number;
  /** weights of each layer: a device with several memories puts the layer's keys and values in the memory of its weights */
  readonly near?: readonly Matrix[];
  /** maps layers to the earlier layers whose anchors they read; their keys and values are put in the same memory */
  readonly anchors?: { readonly layerMap: ReadonlyMap<number, number> } | null;
}

/** By policy object. */
export type Meters = Pick<WeakMap<object, CacheMeter>, "get">;

/** Tokens that a step appends to a sequence: for each, whether it is an anchor. */
export interface AppendedPart {
  readonly sequence: StoredSequence;
  readonly anchors: readonly boolean[];
}

/** The kernels' inputs for the rows that {@link CacheStore.append} added. */
export interface AppendedRows {
  /** [lists, rows]: the slot of each row's key and value */
  readonly slots: Uint32Array;
  /** [lists, rows, 4] */
  readonly ranges: Uint32Array;
  /** changed parts of the lists of keys */
  readonly writes: readonly Write[];
}

export class CacheStore {
  readonly pools: readonly SlotPool[];
  /** of each layer, [slots, 2, kvHeads, headDim] */
  readonly caches: readonly Tensor[];
  /** each layer keeps its own keys: list i is layer i's */
  readonly isPerLayer: boolean;
  /** of all lists, [*, 4] */
  readonly entries: Tensor;
  readonly #device: Device;
  readonly #heads: { readonly kvHeads: number; readonly headDim: number };
  readonly #regions = new RangeAllocator(FIRST_ENTRIES);
  readonly #open = new Set<StoredSequence>();
  readonly #moves: Tensor;
  #movers: readonly Executable[] = [];
  #preparing: Promise<void> | undefined;
  #failure: unknown;
  /** tokens fed ahead, of all sequences */
  #ahead = 0;
  #peakBytes = 0;
  /** tokens that a dense cache would hold */
  readonly #fed = new FedTokens();
  #meter = new CacheMeter();
  readonly #meters: Meters;
  readonly #tokenBytes: number;

  /** `meters`: of the policies that are counted by themselves. */
  constructor(device: Device, shape: CacheShape, meters: Meters = new WeakMap()) {
    this.#meters = meters;
    const { layers, kvHeads, headDim, format = "f32", isPerLayer, maxSlots } = shape;
    const all = Array.from({ length: layers }, (_, layer) => layer);
    const caches: Tensor[] = [];
    const makeCache: MakeCache = (layer, type, length, role, packing) => {
      let leader = layer;
      while (shape.anchors?.layerMap.has(leader)) leader = shape.anchors.layerMap.get(leader)!;
      const near = caches[leader] ?? shape.near?.[layer];
      const cache = device.createTensor(`blocks.${layer}.attn.cache`, type, length, role, { packing, near });
      caches.push(cache);
      return cache;
    };
    this.#device = device;
    this.isPerLayer = isPerLayer;
    this.#heads = { kvHeads, headDim };
    this.pools = (isPerLayer ? all.map((layer) => [layer]) : [all]).map(
      (own) => new SlotPool(device, own, kvHeads, { format, headDim }, maxSlots, makeCache),
    );
    this.#tokenBytes = this.pools.reduce((sum, { slotBytes }) => sum + slotBytes, 0);
    this.caches = caches;
    this.entries = device.createTensor("cache.entries", "u32", FIRST_ENTRIES * ENTRY_WORDS, "activations");
    this.#moves = device.createTensor("cache.moves", "u32", 2, "activations");
  }

  /** Prepares the programs that move slots. Further calls do nothing. */
  prepare(signal?: AbortSignal): Promise<void> {
    this.#preparing ??= this.#prepare(signal);
    return this.#preparing;
  }

  async #prepare(signal: AbortSignal | undefined): Promise<void> {
    this.#movers = await Promise.all(
      this.pools.map(({ caches }) => {
        const builder = new ProgramBuilder("compaction");
        for (const cache of caches) {
          builder.call(
            cacheMove,
            `${cache.label}.move`,
            { moves: this.#moves, cache },
            { rows: variable("moves"), ...this.#heads, slotCount: variable("slotCount") },
          );
        }
        return this.#device.prepare(builder.build(), signal ? { signal } : {});
      }),
    );
  }

  get entryCount(): number {
    return this.#regions.length;
  }

  /** Bytes of keys and values over all layers, without tokens fed ahead. */
  bytes(): CacheBytes {
    const sum = (count: (pool: SlotPool) => number) =>
      this.pools.reduce((total, pool) => total + count(pool) * pool.slotBytes, 0);
    return {
      live: sum(({ live }) => live - this.#ahead),
      allocated: sum(({ slotCount }) => slotCount),
      peak: this.#peakBytes,
    };
  }

  /** Bytes over the steps since {@link resetStatistics}. */
  statistics(): CacheStatistics {
    return this.#meter.statistics();
  }

  resetStatistics(): void {
    this.#meter = new CacheMeter();
  }

  /** Counts a step of these sequences in the statistics, after its policies have acted. */
  countStep(sequences: readonly StoredSequence[]): void {
    this.#meter.countStep(this.#sizes());
    for (const [meter, sizes] of this.#metered(sequences)) meter.countStep(sizes);
  }

  open(): StoredSequence {
    return this.#register(new StoredSequence(this.pools.map(() => new KeyList())));
  }

  /**
   * Opens a sequence with the same keys but those that are not confirmed. They are shared until one of the two drops them. Throws a
   * TypeError if it is closed.
   */
  fork(sequence: StoredSequence): StoredSequence {
    checkOpen(sequence);
    const copy = this.#register(new StoredSequence(sequence.lists.map((list) => list.copy())));
    for (const list of copy.lists) list.drop(sequence.ahead);
    copy.length = sequence.length - sequence.ahead;
    copy.segment = copy.confirmedSegment = sequence.confirmedSegment;
    this.#fed.fork(sequence, copy);
    for (const [i, list] of copy.lists.entries()) {
      for (let key = 0; key < list.length; key++) this.pools[i]!.retain(list.slot(key));
    }
    return copy;
  }

  /** Releases the sequence's keys. Closing twice does nothing. */
  close(sequence: StoredSequence): void {
    if (!sequence.isOpen) return;
    this.rollBack(sequence);
    sequence.isOpen = false;
    this.#open.delete(sequence);
    this.#fed.close(sequence);
    for (const [i, list] of sequence.lists.entries()) {
      for (let key = 0; key < list.length; key++) this.pools[i]!.release(list.slot(key));
      if (list.capacity > 0) this.#regions.release(list.base, list.capacity);
      list.length = 0;
      list.capacity = 0;
    }
    this.#compact();
  }

  /** Keeps the keys of one list at these ascending indices and releases the slots of the others. */
  evict(sequence: StoredSequence, list: number, keep: ArrayLike<number>): void {
    for (const slot of sequence.lists[list]!.keep(keep)) this.pools[list]!.release(slot);
    this.#compact();
  }

  /**
   * Drops the tokens from `length` on. Returns false and changes nothing if a key before `length` has been evicted, because later
   * queries would miss it. Throws a TypeError if the sequence is closed.
   */
  truncate(sequence: StoredSequence, length: number): boolean {
    checkOpen(sequence);
    if (sequence.lists.some((list) => list.length !== sequence.length)) return false;
    const count = sequence.length - length;
    for (const [i, list] of sequence.lists.entries()) {
      for (const slot of list.drop(count)) this.pools[i]!.release(slot);
    }
    sequence.length = length;
    sequence.segment = length === 0 ? 0 : segmentAfter(sequence.lists[0]!.mark(length - 1));
    sequence.confirmedSegment = sequence.segment;
    this.#fed.drop(sequence, count);
    this.#compact();
    return true;
  }

  /**
   * Appends the keys of tokens to sequences and returns the inputs of their step. A sequence may appear once. The tokens are not
   * counted until they are confirmed; until then they can be rolled back, and their sequences must not be used otherwise.
   * Throws a TypeError for a closed sequence, a RangeError if a pool would exceed its most slots and a DeviceError if there is no
   * memory, before any sequence changes.
   */
  append(parts: readonly AppendedPart[]): AppendedRows {
    if (this.#failure !== undefined) throw this.#failure;
    for (const { sequence } of parts) checkOpen(sequence);
    const rows = parts.reduce((sum, { anchors }) => sum + anchors.length, 0);
    this.checkRoom(rows);
    for (const pool of this.pools) pool.reserve(rows);
    for (const { sequence, anchors } of parts) {
      for (const list of sequence.lists) this.#makeRoom(list, list.length + anchors.length);
    }
    const slots = new Uint32Array(this.pools.length * rows);
    const ranges = new Uint32Array(this.pools.length * rows * RANGE_WORDS);
    const writes: Write[] = [];
    for (const [i, pool] of this.pools.entries()) {
      let row = i * rows;
      for (const { sequence, anchors } of parts) {
        const list = sequence.lists[i]!;
        let { segment } = sequence;
        for (const [offset, isAnchor] of anchors.entries()) {
          const position = sequence.length + offset;
          const mark = segment * 2 + Number(isAnchor);
          const slot = pool.take();
          list.push(slot, position, mark);
          slots[row] = slot;
          ranges.set([list.base, list.base + list.length, position, mark], row * RANGE_WORDS);
          segment += Number(isAnchor);
          row++;
        }
        writes.push(this.#flush(list));
      }
    }
    for (const { sequence, anchors } of parts) {
      sequence.length += anchors.length;
      sequence.segment += anchors.filter(Boolean).length;
      sequence.ahead += anchors.length;
      this.#ahead += anchors.length;
    }
    return { slots, ranges, writes };
  }

  /** Throws a RangeError if the keys of so many more tokens would exceed the most slots. */
  checkRoom(tokens: number): void {
    for (const pool of this.pools) pool.checkRoom(tokens);
  }

  /** Number of steps, of one token per sequence, that fit without growing memory on the device. */
  stepsOfRoom(sequences: readonly StoredSequence[]): number {
    const ofPools = this.pools.map(({ room }) => Math.floor(room / sequences.length));
    const ofLists = sequences.flatMap(({ lists }) => lists.map(({ capacity, length }) => capacity - length));
    return Math.min(...ofPools, ...ofLists);
  }

  /** Confirms the oldest tokens of a step that are not, `tokens` of each sequence; those that were closed meanwhile are left out. */
  confirm(parts: readonly { readonly sequence: StoredSequence; readonly tokens: number }[]): void {
    for (const { sequence, tokens } of parts) {
      if (!sequence.isOpen) continue;
      sequence.ahead -= tokens;
      if (sequence.ahead === 0) sequence.confirmedSegment = sequence.segment;
      this.#ahead -= tokens;
      this.#fed.add(sequence, tokens);
    }
    const sizes = this.#sizes();
    this.#peakBytes = Math.max(this.#peakBytes, sizes.live);
    this.#meter.see(sizes);
    for (const [meter, own] of this.#metered(parts.map(({ sequence }) => sequence))) meter.see(own);
  }

  #sizes(): CacheSizes {
    return { live: this.bytes().live, dense: this.#fed.total * this.#tokenBytes };
  }

  /** The meters of these sequences' policies, each with what all open sequences of its policy take: a slot that several have counts once. */
  *#metered(sequences: readonly StoredSequence[]): Generator<[CacheMeter, CacheSizes]> {
    for (const policy of new Set(sequences.map((sequence) => sequence.policy))) {
      const meter = policy && this.#meters.get(policy);
      if (!meter) continue;
      const own = [...this.#open].filter((sequence) => sequence.policy === policy);
      const live = this.pools.reduce((sum, pool, i) => sum + pool.slotBytes * distinctSlots(own, i, pool.slotCount), 0);
      yield [meter, { live, dense: this.#fed.totalOf(own) * this.#tokenBytes }];
    }
  }

  /** As {@link rollBack}, after a step that failed: the device may lack what was written before it. */
  undo(sequence: StoredSequence): void {
    for (const list of sequence.lists) list.changedFrom = 0;
    this.rollBack(sequence);
  }

  /** Takes the tokens back that are not confirmed: the sequence is as it was before them. */
  rollBack(sequence: StoredSequence): void {
    const { ahead, lists } = sequence;
    if (ahead === 0) return;
    for (const [i, list] of lists.entries()) {
      for (const slot of list.drop(ahead)) this.pools[i]!.release(slot);
    }
    sequence.length -= ahead;
    sequence.segment = sequence.confirmedSegment;
    sequence.ahead = 0;
    this.#ahead -= ahead;
  }

  dispose(): void {
    for (const mover of this.#movers) mover.dispose();
    for (const pool of this.pools) pool.dispose();
    this.#device.destroy(this.entries);
    this.#device.destroy(this.#moves);
  }

  #register(sequence: StoredSequence): StoredSequence {
    this.#open.add(sequence);
    return sequence;
  }

  /** Compacts sparse pools: moves their slots together and frees the rest of the memory. */
  #compact(): void {
    for (const [i, pool] of this.pools.entries()) {
      const mover = this.#movers[i];
      if (!pool.isSparse || !mover) continue;
      const { slotCount, moves } = pool.compaction();
      if (moves.length > 0) {
        this.#move(mover, pool.slotCount, moves);
        const renumbered = new Map(moves.map(({ from, to }) => [from, to]));
        for (const { lists } of this.#open) {
          const list = lists[i]!;
          for (let key = 0; key < list.length; key++) {
            const slot = renumbered.get(list.slot(key));
            if (slot !== undefined) list.renumber(key, slot);
          }
        }
      }
      pool.shrink(slotCount, moves);
    }
  }

  #move(mover: Executable, slotCount: number, moves: readonly SlotMove[]): void {
    if (this.#moves.length < moves.length * 2) this.#device.resize(this.#moves, moves.length * 2);
    const data = Uint32Array.from(moves.flatMap(({ from, to }) => [from, to]));
    const variables = { moves: moves.length, slotCount };
    this.#device.run(mover, { variables, writes: [{ tensor: this.#moves, data }] }).catch((error: unknown) => {
      this.#failure = error;
    });
  }

  /** Reserves memory on the device for `length` entries of the list. If that fails the list is as it was. */
  #makeRoom(list: KeyList, length: number): void {
    if (length <= list.capacity) return;
    const capacity = Math.max(length, Math.ceil(list.capacity * 1.5), 64);
    let base = this.#regions.allocate(capacity);
    if (base === undefined) {
      const entries = Math.max(this.#regions.length * 2, this.#regions.length + capacity);
      this.#device.resize(this.entries, entries * ENTRY_WORDS);
      this.#regions.grow(entries);
      base = this.#regions.allocate(capacity)!;
    }
    if (list.capacity > 0) this.#regions.release(list.base, list.capacity);
    list.capacity = capacity;
    list.base = base;
    list.changedFrom = 0;
  }

  #flush(list: KeyList): Write {
    const begin = list.changedFrom;
    list.changedFrom = list.length;
    return {
      tensor: this.entries,
      data: list.entries.slice(begin * ENTRY_WORDS, list.length * ENTRY_WORDS),
      offset: (list.base + begin) * ENTRY_WORDS,
    };
  }
}

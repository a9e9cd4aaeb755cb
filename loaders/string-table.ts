// Values by text, as a Map has them, for millions of texts: a Map or an array that grows moves all of its entries at once, which keeps a
// thread busy for a tenth of a second and more. This table grows in small parts, and leaves little for a garbage collection to look at.

const SHARDS = 1024;
const FIRST_SLOTS = 16;
/** Entries of a block. */
const BLOCK = 1 << 15;

/** Values by text, in the order in which the texts came. Nothing can be removed. */
export class StringTable<Value> implements ReadonlyMap<string, Value> {
  /** [SHARDS] open hash tables of places + 1; 0 for an empty slot */
  readonly #shards = Array.from({ length: SHARDS }, () => new Int32Array(FIRST_SLOTS));
  readonly #counts = new Int32Array(SHARDS);
  readonly #keys: string[][] = [];
  readonly #values: Value[][] = [];
  readonly #hashes: Int32Array[] = [];
  #size = 0;
  /** different each time, so that no file can be made to fill one shard */
  readonly #seed = Math.floor(Math.random() * 2 ** 32);

  get size(): number {
    return this.#size;
  }

  set(key: string, value: Value): this {
    const hash = this.#hashOf(key);
    const known = this.#find(key, hash);
    if (known >= 0) {
      this.#values[Math.floor(known / BLOCK)]![known % BLOCK] = value;
      return this;
    }
    const place = this.#size++;
    if (place % BLOCK === 0) {
      this.#keys.push([]);
      this.#values.push([]);
      this.#hashes.push(new Int32Array(BLOCK));
    }
    this.#keys.at(-1)!.push(key);
    this.#values.at(-1)!.push(value);
    this.#hashes.at(-1)![place % BLOCK] = hash;
    const shard = hash & (SHARDS - 1);
    if (++this.#counts[shard]! * 2 > this.#shards[shard]!.length) this.#grow(shard);
    this.#put(this.#shards[shard]!, hash, place);
    return this;
  }

  get(key: string): Value | undefined {
    const place = this.#find(key, this.#hashOf(key));
    return place < 0 ? undefined : this.#values[Math.floor(place / BLOCK)]![place % BLOCK];
  }

  has(key: string): boolean {
    return this.#find(key, this.#hashOf(key)) >= 0;
  }

  forEach(work: (value: Value, key: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this) work(value, key, this);
  }

  *keys(): MapIterator<string> {
    for (const block of this.#keys) yield* block;
  }

  *values(): MapIterator<Value> {
    for (const block of this.#values) yield* block;
  }

  *entries(): MapIterator<[string, Value]> {
    for (const [i, block] of this.#keys.entries()) {
      for (const [j, key] of block.entries()) yield [key, this.#values[i]![j]!];
    }
  }

  [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries();
  }

  #hashOf(key: string): number {
    let hash = this.#seed;
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
    return hash ^ (hash >>> 15);
  }

  /** The place of a key, or -1. */
  #find(key: string, hash: number): number {
    const slots = this.#shards[hash & (SHARDS - 1)]!;
    for (let slot = (hash >>> 10) & (slots.length - 1); ; slot = (slot + 1) & (slots.length - 1)) {
      const place = slots[slot]! - 1;
      if (place < 0) return -1;
      const block = Math.floor(place / BLOCK);
      if (this.#hashes[block]![place % BLOCK] === hash && this.#keys[block]![place % BLOCK] === key) return place;
    }
  }

  #put(slots: Int32Array, hash: number, place: number): void {
    let slot = (hash >>> 10) & (slots.length - 1);
    while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
    slots[slot] = place + 1;
  }

  #grow(shard: number): void {
    const old = this.#shards[shard]!;
    const slots = (this.#shards[shard] = new Int32Array(4 * old.length));
    for (const taken of old) {
      if (taken === 0) continue;
      const place = taken - 1;
      this.#put(slots, this.#hashes[Math.floor(place / BLOCK)]![place % BLOCK]!, place);
    }
  }
}

// Texts by number and numbers by text, for millions of texts. They lie in a few blocks of code units, and the hash tables that find them
// are arrays of numbers: a garbage collection has nothing to look at or to move, which for so many strings keeps a thread busy for a tenth
// of a second. Nothing here grows all at once.

const SHARDS = 1024;
const FIRST_SLOTS = 16;
/** Code units of a block. */
const BLOCK = 1 << 18;
/** Code units that become a string at a time. */
const UNITS_AT_ONCE = 4096;

/** Numbers of a block of a column, a power of two. */
const NUMBERS = 1 << 15;

type Numbers = Int32Array | Uint32Array | Float64Array;

/** Numbers by place, 0 where none was set. It grows by blocks: an array that doubles would copy millions at once. */
export class Column {
  readonly #blocks: Numbers[] = [];
  readonly #make: new (length: number) => Numbers;

  constructor(make: new (length: number) => Numbers) {
    this.#make = make;
  }

  get(place: number): number {
    return this.#blocks[Math.floor(place / NUMBERS)]?.[place & (NUMBERS - 1)] ?? 0;
  }

  set(place: number, value: number): void {
    const block = Math.floor(place / NUMBERS);
    while (block >= this.#blocks.length) this.#blocks.push(new this.#make(NUMBERS));
    this.#blocks[block]![place & (NUMBERS - 1)] = value;
  }
}

/** Texts in the order in which they came, which need not differ. Nothing can be removed. */
export class TextPool {
  readonly #blocks: Uint16Array[] = [];
  /** code units of the last block that are taken */
  #used = BLOCK;
  readonly #begins = new Column(Uint32Array);
  readonly #lengths = new Column(Uint32Array);
  size = 0;

  /** Adds the part of a text from one code unit to another. */
  push(text: string, from: number, to: number): void {
    const length = to - from;
    if (length > BLOCK - this.#used || this.#used === BLOCK) {
      this.#blocks.push(new Uint16Array(Math.max(BLOCK, length)));
      this.#used = 0;
    }
    const last = this.#blocks.length - 1;
    const block = this.#blocks[last]!;
    for (let i = 0; i < length; i++) block[this.#used + i] = text.charCodeAt(from + i);
    this.#begins.set(this.size, last * BLOCK + this.#used);
    this.#lengths.set(this.size++, length);
    this.#used = Math.min(BLOCK, this.#used + length);
  }

  /** Takes the last text away. */
  pop(): void {
    this.size--;
    this.#used = this.#begins.get(this.size) % BLOCK;
  }

  lengthOf(place: number): number {
    return this.#lengths.get(place);
  }

  textAt(place: number): string {
    const begin = this.#begins.get(place);
    const block = this.#blocks[Math.floor(begin / BLOCK)]!;
    const from = begin % BLOCK;
    const to = from + this.#lengths.get(place);
    if (to - from <= UNITS_AT_ONCE) return String.fromCharCode.apply(null, block.subarray(from, to) as never);
    const parts: string[] = [];
    for (let at = from; at < to; at += UNITS_AT_ONCE) {
      parts.push(String.fromCharCode.apply(null, block.subarray(at, Math.min(to, at + UNITS_AT_ONCE)) as never));
    }
    return parts.join("");
  }

  /** True if the text at a place is that part of another. */
  isAt(place: number, text: string, from: number, to: number): boolean {
    if (this.#lengths.get(place) !== to - from) return false;
    const begin = this.#begins.get(place);
    const block = this.#blocks[Math.floor(begin / BLOCK)]!;
    for (let i = from, at = begin % BLOCK; i < to; i++, at++) if (block[at] !== text.charCodeAt(i)) return false;
    return true;
  }
}

/** Different texts, each with its place in the order in which they came. Nothing can be removed. */
export class TextTable {
  /** [SHARDS] open hash tables of places + 1; 0 for an empty slot */
  readonly #shards = Array.from({ length: SHARDS }, () => new Int32Array(FIRST_SLOTS));
  readonly #counts = new Int32Array(SHARDS);
  readonly #hashes = new Column(Int32Array);
  readonly #pool = new TextPool();
  /** different each time, so that no file can be made to fill one shard */
  readonly #seed = Math.floor(Math.random() * 2 ** 32);

  get size(): number {
    return this.#pool.size;
  }

  /** The place of the part of a text from one code unit to another, new or known. */
  add(text: string, from = 0, to = text.length): number {
    const hash = this.#hashOf(text, from, to);
    const known = this.#find(hash, text, from, to);
    if (known >= 0) return known;
    const place = this.#pool.size;
    this.#pool.push(text, from, to);
    this.#hashes.set(place, hash);
    const shard = hash & (SHARDS - 1);
    if (++this.#counts[shard]! * 2 > this.#shards[shard]!.length) this.#grow(shard);
    this.#put(this.#shards[shard]!, hash, place);
    return place;
  }

  /** The place of a text, or -1. */
  placeOf(text: string): number {
    return this.#find(this.#hashOf(text, 0, text.length), text, 0, text.length);
  }

  textAt(place: number): string {
    return this.#pool.textAt(place);
  }

  lengthOf(place: number): number {
    return this.#pool.lengthOf(place);
  }

  #hashOf(text: string, from: number, to: number): number {
    let hash = this.#seed;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    return hash ^ (hash >>> 15);
  }

  #find(hash: number, text: string, from: number, to: number): number {
    const slots = this.#shards[hash & (SHARDS - 1)]!;
    for (let slot = (hash >>> 10) & (slots.length - 1); ; slot = (slot + 1) & (slots.length - 1)) {
      const place = slots[slot]! - 1;
      if (place < 0) return -1;
      if (this.#hashes.get(place) === hash && this.#pool.isAt(place, text, from, to)) return place;
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
    for (const taken of old) if (taken !== 0) this.#put(slots, this.#hashes.get(taken - 1), taken - 1);
  }
}

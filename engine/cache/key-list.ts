// A sequence's keys in one pool. Each key has an entry (slot, position, mark, bias), on the host and in a tensor on the device.

/** Words of a key's entry: slot, position, mark (2 · segment + isAnchor), bias (the bits of an f32). See the kernel `attend`. */
export const ENTRY_WORDS = 4;

/** Statistics of the keys by name, one number per key. */
export type KeyStatistics = Map<string, Float32Array>;

/** A list of keys, ascending by position. */
export class KeyList {
  /** keys in the list */
  length = 0;
  /** [length, 4], allocated with spare entries */
  entries = new Uint32Array(32 * ENTRY_WORDS);
  /** first entry of the list on the device */
  base = 0;
  /** entries allocated from `base` on */
  capacity = 0;
  /** entries from here on differ from the device's */
  changedFrom = 0;
  readonly statistics: KeyStatistics = new Map();

  slot(key: number): number {
    return this.entries[key * ENTRY_WORDS]!;
  }

  position(key: number): number {
    return this.entries[key * ENTRY_WORDS + 1]!;
  }

  /** 2 · segment + isAnchor */
  mark(key: number): number {
    return this.entries[key * ENTRY_WORDS + 2]!;
  }

  /** Positions of all keys. */
  positions(): Uint32Array {
    return Uint32Array.from({ length: this.length }, (_, key) => this.position(key));
  }

  /** Marks of all keys. */
  marks(): Uint32Array {
    return Uint32Array.from({ length: this.length }, (_, key) => this.mark(key));
  }

  push(slot: number, position: number, mark: number): void {
    if ((this.length + 1) * ENTRY_WORDS > this.entries.length) {
      const entries = new Uint32Array(this.entries.length * 2);
      entries.set(this.entries);
      this.entries = entries;
    }
    this.entries.set([slot, position, mark, 0], this.length * ENTRY_WORDS);
    this.length++;
  }

  /** Gives a key another slot. */
  renumber(key: number, slot: number): void {
    this.entries[key * ENTRY_WORDS] = slot;
    this.changedFrom = Math.min(this.changedFrom, key);
  }

  /** Drops the newest keys. Returns their slots, the newest first. */
  drop(count: number): number[] {
    const dropped = Array.from({ length: count }, (_, i) => this.slot(this.length - 1 - i));
    for (const values of this.statistics.values()) values.fill(0, this.length - count, this.length);
    this.length -= count;
    this.changedFrom = Math.min(this.changedFrom, this.length);
    return dropped;
  }

  /** Keeps the keys at these ascending indices. Returns the slots of the others. */
  keep(indices: ArrayLike<number>): number[] {
    const dropped: number[] = [];
    let kept = 0;
    for (let key = 0; key < this.length; key++) {
      if (indices[kept] !== key) {
        dropped.push(this.slot(key));
        continue;
      }
      if (kept !== key) {
        this.entries.copyWithin(kept * ENTRY_WORDS, key * ENTRY_WORDS, (key + 1) * ENTRY_WORDS);
        for (const values of this.statistics.values()) values[kept] = values[key]!;
        this.changedFrom = Math.min(this.changedFrom, kept);
      }
      kept++;
    }
    this.length = kept;
    this.changedFrom = Math.min(this.changedFrom, kept);
    return dropped;
  }

  /** One statistic of all keys; 0 for keys without a value yet. */
  statistic(name: string): Float32Array {
    const held = this.statistics.get(name);
    if (held && held.length >= this.length) return held.subarray(0, this.length);
    const grown = new Float32Array(Math.max(64, this.length * 2));
    if (held) grown.set(held);
    this.statistics.set(name, grown);
    return grown.subarray(0, this.length);
  }

  /** A copy of the list that is not on the device yet. */
  copy(): KeyList {
    const list = new KeyList();
    list.length = this.length;
    list.entries = this.entries.slice();
    for (const [name, values] of this.statistics) list.statistics.set(name, values.slice());
    return list;
  }
}

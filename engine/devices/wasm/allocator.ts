// Which bytes of a linear memory are taken: a list of free ranges in order of address, neighbors always joined. First fit.
// It divides up addresses only; growing the memory itself is the caller's, through `grow`.

/** Every block begins at a multiple of this, and takes a multiple of it. */
export const ALIGNMENT = 64;

interface Range {
  begin: number;
  end: number;
}

/** Hands out ranges of [begin, limit), growing from `end` towards the limit as needed. */
export class Allocator {
  readonly #free: Range[] = [];
  readonly #begin: number;
  readonly #limit: number;
  readonly #grow: (end: number) => boolean;
  #end: number;

  /** `grow(end)` makes addresses below `end` usable, or returns false where the engine refuses. */
  constructor(begin: number, end: number, limit: number, grow: (end: number) => boolean) {
    this.#begin = begin;
    this.#limit = limit;
    this.#grow = grow;
    this.#end = end;
    if (begin < end) this.#free.push({ begin, end });
  }

  /** Whether nothing is taken. */
  get isEmpty(): boolean {
    return this.freeBytes === this.#limit - this.#begin;
  }

  /** Bytes that could still be handed out, in however many pieces. */
  get freeBytes(): number {
    return this.#free.reduce((sum, { begin, end }) => sum + end - begin, this.#limit - this.#end);
  }

  /** The address of `byteLength` free bytes, now taken; undefined when there is no such range. */
  allocate(byteLength: number): number | undefined {
    const size = roundUp(byteLength);
    const index = this.#free.findIndex(({ begin, end }) => end - begin >= size);
    if (index >= 0) {
      const range = this.#free[index]!;
      const address = range.begin;
      range.begin += size;
      if (range.begin === range.end) this.#free.splice(index, 1);
      return address;
    }
    const last = this.#free.at(-1);
    const address = last?.end === this.#end ? last.begin : this.#end;
    if (address + size > this.#limit || !this.#grow(address + size)) return undefined;
    if (address < this.#end) this.#free.pop();
    this.#end = address + size;
    return address;
  }

  /** Gives back what `allocate(byteLength)` handed out. */
  free(address: number, byteLength: number): void {
    this.#insert({ begin: address, end: address + roundUp(byteLength) });
  }

  #insert(range: Range): void {
    let index = this.#free.findIndex(({ begin }) => begin > range.begin);
    if (index < 0) index = this.#free.length;
    const before = this.#free[index - 1];
    const after = this.#free[index];
    if (before !== undefined && before.end > range.begin)
      throw new RangeError(`bytes ${range.begin}.. are free already`);
    if (after !== undefined && after.begin < range.end) throw new RangeError(`bytes ${after.begin}.. are free already`);
    this.#free.splice(index, 0, range);
    if (after !== undefined && after.begin === range.end) {
      range.end = after.end;
      this.#free.splice(index + 1, 1);
    }
    if (before !== undefined && before.end === range.begin) {
      before.end = range.end;
      this.#free.splice(index, 1);
    }
  }
}

/** Bytes that a block of so many takes. */
export function roundUp(byteLength: number): number {
  return Math.max(ALIGNMENT, Math.ceil(byteLength / ALIGNMENT) * ALIGNMENT);
}

// A first-fit allocator of ranges begin..begin+length in one long list. Adjacent free ranges are joined.

/** Allocates ranges of a list. When none is long enough, the caller grows the list. */
export class RangeAllocator {
  /** free ranges in order, none touching the next */
  readonly #free: { begin: number; length: number }[] = [];
  #length: number;

  constructor(length: number) {
    this.#length = length;
    if (length > 0) this.#free.push({ begin: 0, length });
  }

  /** Length of the whole list. */
  get length(): number {
    return this.#length;
  }

  /** The begin of a free range, or undefined when none is long enough. */
  allocate(length: number): number | undefined {
    const index = this.#free.findIndex((range) => range.length >= length);
    const range = this.#free[index];
    if (!range) return undefined;
    const { begin } = range;
    if (range.length === length) this.#free.splice(index, 1);
    else this.#free[index] = { begin: begin + length, length: range.length - length };
    return begin;
  }

  release(begin: number, length: number): void {
    const next = this.#free.findIndex((range) => range.begin > begin);
    const at = next < 0 ? this.#free.length : next;
    this.#free.splice(at, 0, { begin, length });
    this.#join(at);
    this.#join(at - 1);
  }

  grow(length: number): void {
    const begin = this.#length;
    this.#length = length;
    this.release(begin, length - begin);
  }

  #join(index: number): void {
    const [left, right] = [this.#free[index], this.#free[index + 1]];
    if (!left || !right || left.begin + left.length !== right.begin) return;
    this.#free.splice(index, 2, { begin: left.begin, length: left.length + right.length });
  }
}

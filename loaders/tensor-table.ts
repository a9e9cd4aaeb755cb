// The tensors of a header of very many, by name: the facts of each lie in arrays of numbers, and become an object when it is asked for.

import { DTYPE_BITS, type Dtype, type Entry } from "./tensor-info.ts";
import { Column, TextTable } from "./text-table.ts";
import type { Work } from "./work.ts";

/** Tensors between two pauses. */
const ENTRIES_PER_PAUSE = 2048;

const DTYPES = Object.keys(DTYPE_BITS) as readonly Dtype[];

/** Tensors by name, in the order in which they came. */
export class TensorTable implements ReadonlyMap<string, Entry> {
  readonly #names = new TextTable();
  readonly #dtypes = new Column(Int32Array);
  readonly #begins = new Column(Float64Array);
  readonly #ends = new Column(Float64Array);
  /** [size + 1] where the sizes of each shape begin */
  readonly #shapes = new Column(Int32Array);
  readonly #sizes = new Column(Float64Array);
  /** what is added to the places of all */
  #dataBegin = 0;

  get size(): number {
    return this.#names.size;
  }

  has(name: string): boolean {
    return this.#names.placeOf(name) >= 0;
  }

  get(name: string): Entry | undefined {
    const place = this.#names.placeOf(name);
    return place < 0 ? undefined : this.#at(place);
  }

  /** Adds a tensor of a new name. */
  set(name: string, { dtype, shape, begin, end }: Entry): this {
    const place = this.#names.add(name);
    const first = this.#shapes.get(place);
    this.#dtypes.set(place, DTYPES.indexOf(dtype));
    this.#begins.set(place, begin);
    this.#ends.set(place, end);
    for (const [i, size] of shape.entries()) this.#sizes.set(first + i, size);
    this.#shapes.set(place + 1, first + shape.length);
    return this;
  }

  /** Counts the places of all tensors from the beginning of the file, given where the data begins. */
  startAt(dataBegin: number): void {
    this.#dataBegin = dataBegin;
  }

  /** The tensors by their place in the file. */
  *inFileOrder(): Work<Iterable<Entry>> {
    const { size } = this;
    let order = new Int32Array(size);
    for (let i = 0; i < size; i++) order[i] = i;
    const [begins, ends] = [this.#begins, this.#ends];
    const compare = (a: number, b: number): number => begins.get(a) - begins.get(b) || ends.get(a) - ends.get(b);
    yield;
    for (let i = 0; i < size; i += ENTRIES_PER_PAUSE) {
      order.subarray(i, i + ENTRIES_PER_PAUSE).sort(compare);
      yield;
    }
    let other = new Int32Array(size);
    for (let run = ENTRIES_PER_PAUSE; run < size; run *= 2) {
      for (let from = 0; from < size; from += 2 * run) {
        const [middle, to] = [Math.min(size, from + run), Math.min(size, from + 2 * run)];
        for (let [i, j, at] = [from, middle, from]; at < to; at++) {
          const isLeft = j >= to || (i < middle && compare(order[i]!, order[j]!) <= 0);
          other[at] = order[isLeft ? i++ : j++]!;
          if (at % ENTRIES_PER_PAUSE === 0) yield;
        }
      }
      [order, other] = [other, order];
    }
    const entryAt = (place: number): Entry => this.#at(place);
    return (function* () {
      for (const place of order) yield entryAt(place);
    })();
  }

  forEach(work: (entry: Entry, name: string, map: ReadonlyMap<string, Entry>) => void): void {
    for (const [name, entry] of this) work(entry, name, this);
  }

  *keys(): MapIterator<string> {
    for (let i = 0; i < this.size; i++) yield this.#names.textAt(i);
  }

  *values(): MapIterator<Entry> {
    for (let i = 0; i < this.size; i++) yield this.#at(i);
  }

  *entries(): MapIterator<[string, Entry]> {
    for (const entry of this.values()) yield [entry.name, entry];
  }

  [Symbol.iterator](): MapIterator<[string, Entry]> {
    return this.entries();
  }

  #at(place: number): Entry {
    const begin = this.#begins.get(place) + this.#dataBegin;
    const end = this.#ends.get(place) + this.#dataBegin;
    const shape: number[] = [];
    for (let i = this.#shapes.get(place); i < this.#shapes.get(place + 1); i++) shape.push(this.#sizes.get(i));
    return {
      name: this.#names.textAt(place),
      dtype: DTYPES[this.#dtypes.get(place)]!,
      shape,
      begin,
      end,
      byteLength: end - begin,
    };
  }
}

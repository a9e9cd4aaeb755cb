// What JSON objects and lists are read into that have so many members that plain ones of JavaScript's would block the thread whenever they grow, and whenever a
// garbage collection finds all their texts alive. Texts and numbers lie in arrays of numbers; members become values when they are asked for.

import { LargeItems } from "./large-table.ts";
import { Column, TextPool, TextTable } from "./text-table.ts";

/** The largest number that is kept as it is. */
const MAX_NUMBER = 2 ** 31 - 1;

/** Values by text, as a Map has them, in the order in which the texts came. Nothing can be removed. */
export class LargeMap<Value> implements ReadonlyMap<string, Value> {
  readonly #names = new TextTable();
  /** [size] a whole number itself, or -1 - the place of another value */
  readonly #codes = new Column(Int32Array);
  readonly #values: Value[] = [];
  /** places of texts among the values */
  readonly #texts = new Map<string, number>();

  get size(): number {
    return this.#names.size;
  }

  set(name: string, value: Value): this {
    this.setAt(this.#names.add(name), value);
    return this;
  }

  /** The place of a name, which is a part of a text; the caller gives it a value. */
  place(text: string, from: number, to: number): number {
    return this.#names.add(text, from, to);
  }

  setAt(place: number, value: Value): void {
    this.#codes.set(place, this.#codeOf(value));
  }

  /** As {@link setAt}, for a number that is known to be whole and not negative. */
  setNumberAt(place: number, value: number): void {
    this.#codes.set(place, value);
  }

  get(name: string): Value | undefined {
    const place = this.#names.placeOf(name);
    return place < 0 ? undefined : this.valueAt(place);
  }

  /** The number of a name, or -1. Meant for maps that have whole numbers only. */
  numberOf(name: string): number {
    const place = this.#names.placeOf(name);
    return place < 0 ? -1 : this.#codes.get(place);
  }

  has(name: string): boolean {
    return this.#names.placeOf(name) >= 0;
  }

  /** The place-th value. */
  valueAt(place: number): Value {
    const code = this.#codes.get(place);
    return code < 0 ? this.#values[-1 - code]! : (code as Value);
  }

  /** The place-th name. */
  nameAt(place: number): string {
    return this.#names.textAt(place);
  }

  /** The code units of the place-th name. */
  nameLengthAt(place: number): number {
    return this.#names.lengthOf(place);
  }

  forEach(work: (value: Value, name: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [name, value] of this) work(value, name, this);
  }

  *keys(): MapIterator<string> {
    for (let i = 0; i < this.size; i++) yield this.nameAt(i);
  }

  *values(): MapIterator<Value> {
    for (let i = 0; i < this.size; i++) yield this.valueAt(i);
  }

  *entries(): MapIterator<[string, Value]> {
    for (let i = 0; i < this.size; i++) yield [this.nameAt(i), this.valueAt(i)];
  }

  [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries();
  }

  #codeOf(value: Value): number {
    if (
      typeof value === "number" &&
      value >= 0 &&
      value <= MAX_NUMBER &&
      Number.isInteger(value) &&
      !Object.is(value, -0)
    )
      return value;
    const known = typeof value === "string" ? this.#texts.get(value) : undefined;
    if (known !== undefined) return -1 - known;
    const place = this.#values.push(value) - 1;
    // The values of an index are few names of files, each many times.
    if (typeof value === "string" && this.#texts.size < 10_000) this.#texts.set(value, place);
    return -1 - place;
  }
}

/** What items of a large list are. */
const [OTHER, TEXT, PAIR, SCORED] = [0, 1, 2, 3];

/** A list of many items: texts, pairs of texts, texts with a number, and others. */
export class LargeList extends LargeItems {
  readonly #texts = new TextPool();
  /** [length] where its texts, or its place among the others, begin, times 4, plus what it is */
  readonly #items = new Column(Float64Array);
  readonly #scores = new Column(Float64Array);
  readonly #others: unknown[] = [];
  override length = 0;

  /** The item at a place. */
  override at(place: number): unknown {
    if (place >= this.length) return undefined;
    const item = this.#items.get(place);
    const first = Math.floor(item / 4);
    switch (item % 4) {
      case TEXT:
        return this.#texts.textAt(first);
      case PAIR:
        return [this.#texts.textAt(first), this.#texts.textAt(first + 1)];
      case SCORED:
        return [this.#texts.textAt(first), this.#scores.get(place)];
      default:
        return this.#others[first];
    }
  }

  push(value: unknown): void {
    if (typeof value === "string") {
      this.addText(value, 0, value.length);
      return this.endText();
    }
    if (Array.isArray(value) && value.length === 2 && typeof value[0] === "string") {
      const second: unknown = value[1];
      if (typeof second === "string" || typeof second === "number") {
        this.addText(value[0], 0, value[0].length);
        if (typeof second === "number") return this.endScored(second);
        this.addText(second, 0, second.length);
        return this.endPair();
      }
    }
    this.#end(this.#others.push(value) - 1, OTHER);
  }

  /** Adds a text, part of a longer one, to the item that comes. */
  addText(text: string, from: number, to: number): void {
    this.#texts.push(text, from, to);
  }

  /** Takes back a text of an item that turned out to be another. */
  dropText(): void {
    this.#texts.pop();
  }

  /** Ends an item: the text added last. */
  endText(): void {
    this.#end(this.#texts.size - 1, TEXT);
  }

  /** Ends an item: the two texts added last. */
  endPair(): void {
    this.#end(this.#texts.size - 2, PAIR);
  }

  /** Ends an item: the text added last, with a number. */
  endScored(score: number): void {
    this.#scores.set(this.length, score);
    this.#end(this.#texts.size - 1, SCORED);
  }

  #end(first: number, kind: number): void {
    this.#items.set(this.length++, 4 * first + kind);
  }
}

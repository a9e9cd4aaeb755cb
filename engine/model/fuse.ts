// Fusing: a draft with many small calls becomes one with few large calls that leaves the same numbers in every tensor that is seen.
// Seen are the tensors of the device, always, and declared ones where a tap reads them.
//
// Two steps, each right by itself, are repeated until nothing changes:
//   a rule (fuse-rules.ts) rewrites a call so that it computes from what earlier calls, its producers, read;
//   a call is removed when nothing sees what it writes.
// A call may stand for its producers only if what they read is unchanged when it runs; an edit by a tap counts as a write. No rewrite
// crosses a stage, because a replay can stop or begin there.

import { resolveParams } from "../devices/program.ts";
import { isDeclared, type Declared, type DraftBuffer, type DraftCall, type DraftEntry } from "./draft.ts";
import { RULES, type Producers } from "./fuse-rules.ts";

/** Values for the variables of a step. Sizes are compared with them, so equal products must mean equal sizes: primes do. */
export type ExampleStep = Readonly<Record<string, number>>;

/** The entries of a draft with as few calls as the rules and the taps in it allow. */
export function fuse(entries: readonly DraftEntry[], example: ExampleStep): DraftEntry[] {
  const flow = new Flow(entries, example);
  let isChanged = true;
  while (isChanged) {
    isChanged = false;
    for (let index = 0; index < flow.entries.length; index++) {
      for (let place = flow.rewrite(index); place !== undefined; place = flow.rewrite(index)) {
        isChanged = true;
        index = place;
      }
    }
    if (flow.removeUnseen()) isChanged = true;
  }
  return flow.entries;
}

/** The tensors that an entry reads and writes. */
interface Access {
  readonly reads: ReadonlySet<DraftBuffer>;
  readonly writes: ReadonlySet<DraftBuffer>;
}

/** A call that computes the matrix's rows in pieces leaves a part of its result as it was. */
function isPiece({ kernel, params }: DraftCall): boolean {
  if (!kernel.piece) return false;
  if ("outputStride" in kernel.params) return params["outputs"] !== params["outputStride"];
  return params["tableBegin"] !== 0 || params["tableEnd"] !== params["vocabSize"];
}

function accessOf(entry: DraftEntry): Access {
  const reads = new Set<DraftBuffer>();
  const writes = new Set<DraftBuffer>();
  if (entry.kind === "tap") {
    reads.add(entry.tap.tensor);
    if (entry.tap.isEdited) writes.add(entry.tap.tensor);
  } else if (entry.kind === "call") {
    const { kernel, buffers } = entry.call;
    for (const [name, use] of Object.entries(kernel.buffers)) {
      const buffer = buffers[name];
      if (!buffer) continue;
      const isWritten = use.includes("write");
      if (isWritten) writes.add(buffer);
      if (!isWritten || use.includes("read") || isPiece(entry.call)) reads.add(buffer);
    }
  }
  return { reads, writes };
}

/** Which entry writes what another reads. */
class Flow {
  readonly entries: DraftEntry[];
  readonly #example: ExampleStep;
  readonly #accesses = new WeakMap<DraftEntry, Access>();
  readonly #sizes = new WeakMap<DraftCall, Readonly<Record<string, number>>>();
  /** tensors that a replay which begins at the start or at a stage finds from before: they are seen wherever they are written last */
  readonly #carried: ReadonlySet<DraftBuffer>;

  constructor(entries: readonly DraftEntry[], example: ExampleStep) {
    this.entries = [...entries];
    this.#example = example;
    this.#carried = this.#findCarried();
  }

  /** Lets a rule replace the call at `index`, and removes producers that nothing sees any more. Returns where the new call stands. */
  rewrite(index: number): number | undefined {
    const entry = this.entries[index]!;
    if (entry.kind !== "call") return undefined;
    const producers = this.#producersAt(index);
    for (const rule of RULES) {
      const rewritten = rule(entry.call, producers);
      if (!rewritten || !isBoundOnce(rewritten.call)) continue;
      const places = rewritten.producers.map((call) => this.#placeOf(call, index));
      if (!places.every((place) => this.#keepsInputs(place, index))) continue;
      this.entries[index] = { kind: "call", call: rewritten.call };
      let isAt = index;
      for (const place of places.sort((a, b) => b - a)) {
        if (this.#isSeen(place)) continue;
        this.entries.splice(place, 1);
        isAt--;
      }
      return isAt;
    }
    return undefined;
  }

  /** Removes calls whose results nothing sees, the last ones first. */
  removeUnseen(): boolean {
    const before = this.entries.length;
    for (let place = this.entries.length - 1; place >= 0; place--) {
      if (!this.#isSeen(place)) this.entries.splice(place, 1);
    }
    return this.entries.length < before;
  }

  #producersAt(index: number): Producers {
    const producerOf = (call: DraftCall, name: string): DraftCall | undefined => {
      const place = this.#producer(this.#placeOf(call, index), call, name);
      const entry = place === undefined ? undefined : this.entries[place]!;
      return entry?.kind === "call" ? entry.call : undefined;
    };
    return {
      of: producerOf,
      only: (call, name) => {
        const producer = producerOf(call, name);
        if (!producer) return undefined;
        const isReadOnce = Object.values(call.buffers).filter((buffer) => buffer === call.buffers[name]).length === 1;
        return isReadOnce && !this.#isSeen(this.#placeOf(producer, index), index) ? producer : undefined;
      },
    };
  }

  /** Where a call at or before `index` stands. */
  #placeOf(call: DraftCall, index: number): number {
    for (let place = index; place >= 0; place--) {
      const entry = this.entries[place]!;
      if (entry.kind === "call" && entry.call === call) return place;
    }
    throw new RangeError(`${call.label} does not stand before entry ${index} of the draft`);
  }

  /** The place of the call that wrote all of what a call finds in one of its buffers, with no stage and no edit between them. */
  #producer(index: number, call: DraftCall, name: string): number | undefined {
    const buffer = call.buffers[name];
    if (!buffer || !isDeclared(buffer)) return undefined;
    for (let place = index - 1; place >= 0; place--) {
      const entry = this.entries[place]!;
      if (entry.kind === "stage") return undefined;
      if (!this.#access(entry).writes.has(buffer)) continue;
      return this.#writtenSize(entry, buffer) === this.#sizesOf(call)[name] ? place : undefined;
    }
    return undefined;
  }

  /** True if no entry between the two, the first included, writes what the first reads. */
  #keepsInputs(place: number, index: number): boolean {
    const { reads } = this.#access(this.entries[place]!);
    for (let between = place; between < index; between++) {
      for (const buffer of this.#access(this.entries[between]!).writes) if (reads.has(buffer)) return false;
    }
    return true;
  }

  /** True if anything but the entry at `reader` sees what the entry at `place` does. */
  #isSeen(place: number, reader?: number): boolean {
    const entry = this.entries[place]!;
    if (entry.kind !== "call") return true;
    for (const buffer of this.#access(entry).writes) {
      if (!isDeclared(buffer) || this.#carried.has(buffer)) return true;
      const size = this.#writtenSize(entry, buffer);
      for (let later = place + 1; later < this.entries.length; later++) {
        if (later === reader) continue;
        const other = this.entries[later]!;
        const { reads, writes } = this.#access(other);
        if (reads.has(buffer)) return true;
        if (size !== undefined && writes.has(buffer) && this.#writtenSize(other, buffer) === size) break;
      }
    }
    return false;
  }

  /** How many numbers of a buffer an entry replaces without reading them; undefined where it keeps some, or is no call. */
  #writtenSize(entry: DraftEntry, buffer: Declared): number | undefined {
    const { reads, writes } = this.#access(entry);
    if (entry.kind !== "call" || !writes.has(buffer) || reads.has(buffer)) return undefined;
    const name = Object.keys(entry.call.buffers).find((one) => entry.call.buffers[one] === buffer)!;
    return this.#sizesOf(entry.call)[name];
  }

  #findCarried(): ReadonlySet<DraftBuffer> {
    const carried = new Set<DraftBuffer>();
    const begins = [0, ...this.entries.flatMap(({ kind }, place) => (kind === "stage" ? [place] : []))];
    for (const begin of begins) {
      const written = new Map<DraftBuffer, number>();
      for (const entry of this.entries.slice(begin)) {
        const { reads, writes } = this.#access(entry);
        for (const buffer of reads) {
          if (!isDeclared(buffer)) continue;
          const size = written.get(buffer);
          const isCovered = entry.kind === "tap" ? size !== undefined : size === this.#readSize(entry, buffer);
          if (!isCovered) carried.add(buffer);
        }
        for (const buffer of writes) {
          const size = isDeclared(buffer) ? this.#writtenSize(entry, buffer) : undefined;
          if (size !== undefined) written.set(buffer, size);
        }
      }
    }
    return carried;
  }

  #readSize(entry: DraftEntry, buffer: Declared): number | undefined {
    if (entry.kind !== "call") return undefined;
    const { call } = entry;
    const names = Object.keys(call.buffers).filter((name) => call.buffers[name] === buffer);
    return Math.max(...names.map((name) => this.#sizesOf(call)[name]!));
  }

  #access(entry: DraftEntry): Access {
    const known = this.#accesses.get(entry);
    if (known) return known;
    const access = accessOf(entry);
    this.#accesses.set(entry, access);
    return access;
  }

  #sizesOf(call: DraftCall): Readonly<Record<string, number>> {
    const known = this.#sizes.get(call);
    if (known) return known;
    const sizes = call.kernel.sizes(resolveParams(call, this.#example));
    this.#sizes.set(call, sizes);
    return sizes;
  }
}

/** WebGPU wants a buffer that a call writes to be bound once in that call. */
function isBoundOnce({ kernel, buffers }: DraftCall): boolean {
  const bound = Object.values(buffers);
  return Object.entries(kernel.buffers).every(([name, use]) => {
    const buffer = buffers[name];
    return !buffer || !use.includes("write") || bound.filter((one) => one === buffer).length === 1;
  });
}

// A byte source that reads another one in parts: large ranges that begin at multiples of PART_BYTES, a few at a time, whatever small
// ranges are asked of it. A part is kept in memory until all of its bytes have been read once, and may be kept in a store, too.
// Weights are loaded in the order of their file, so that a few parts at a time are enough.

import { allocateBytes, checkRange, type ByteSource } from "../byte-source.ts";
import { eitherSignal, untilAborted } from "../until-aborted.ts";

/** Bytes of one part: of one request, and of one entry of a store. */
export const PART_BYTES = 16 * 2 ** 20;
/** Parts that are fetched and written at the same time. */
const FETCHES_AT_ONCE = 3;
/** Parts that are kept in memory: 96 MiB. Each of the weights that are loaded at once may be in a part of its own. */
const PARTS_IN_MEMORY = 6;

/** Where parts are kept between page loads. */
export interface PartStore {
  /** The bytes of a part; null where they are not there. */
  read(index: number, byteLength: number): Promise<Uint8Array | null>;
  /** Keeps a part; never throws. */
  write(index: number, bytes: Uint8Array): Promise<void>;
  /** Does `work` while nobody else, in other tabs too, works on this part. */
  alone<T>(index: number, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

/** What is read in parts. */
export interface PartedOptions {
  readonly name: string;
  readonly byteLength: number;
  /** Opens the source itself, once, when a part is needed that is not stored. */
  readonly open: (signal: AbortSignal) => Promise<ByteSource>;
  readonly store?: PartStore | undefined;
  /** ends every read, now and later */
  readonly signal?: AbortSignal | undefined;
  readonly partBytes?: number | undefined;
}

/** Opens a source that reads in parts. Closing it waits for what is being written, and gives up what is being fetched. */
export function partedSource(options: PartedOptions): ByteSource {
  const { name, byteLength, store, partBytes = PART_BYTES } = options;
  const closing = new AbortController();
  const signal = eitherSignal(options.signal, closing.signal)!;
  const inMemory = new Map<number, Promise<Uint8Array>>(); // the least recently used first
  const settled = new Set<number>();
  /** bytes of each part that were not read yet, of all that were ever asked for */
  const unread = new Map<number, number>();
  const writing = new Set<Promise<void>>();
  const waiting: (() => void)[] = [];
  let underWay = 0;
  let opening: Promise<ByteSource> | undefined;

  const beginOf = (index: number): number => index * partBytes;
  const lengthOf = (index: number): number => Math.min(partBytes, byteLength - beginOf(index));

  function source(): Promise<ByteSource> {
    opening ??= options.open(signal);
    opening.catch(() => (opening = undefined));
    return opening;
  }

  async function fetchPart(index: number): Promise<Uint8Array> {
    return (await source()).read(beginOf(index), beginOf(index) + lengthOf(index), signal);
  }

  /** Gives a part as soon as it is there, and keeps its slot until it is stored. */
  function obtain(index: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const work = async (): Promise<void> => {
        if (underWay >= FETCHES_AT_ONCE) await new Promise<void>((free) => waiting.push(free));
        else underWay++;
        try {
          signal.throwIfAborted();
          const kept = await store?.read(index, lengthOf(index));
          if (kept) resolve(kept);
          else if (store === undefined) resolve(await fetchPart(index));
          else {
            await store.alone(index, signal, async () => {
              const meanwhile = await store.read(index, lengthOf(index)); // another tab may have been quicker
              const bytes = meanwhile ?? (await fetchPart(index));
              resolve(bytes);
              if (meanwhile === null) await store.write(index, bytes);
            });
          }
        } finally {
          const next = waiting.shift();
          if (next) next();
          else underWay--;
        }
      };
      const done = work()
        .catch(reject)
        .finally(() => writing.delete(done));
      writing.add(done);
    });
  }

  function part(index: number): Promise<Uint8Array> {
    const known = inMemory.get(index);
    inMemory.delete(index);
    const bytes = known ?? obtain(index);
    inMemory.set(index, bytes);
    if (known === undefined) {
      if (!unread.has(index)) unread.set(index, lengthOf(index));
      bytes.then(
        () => settled.add(index),
        () => forget(index, bytes),
      );
      for (const old of inMemory.keys()) {
        if (inMemory.size <= PARTS_IN_MEMORY) break;
        if (settled.has(old)) forget(old, inMemory.get(old)!);
      }
    }
    return bytes;
  }

  function forget(index: number, bytes: Promise<Uint8Array>): void {
    if (inMemory.get(index) !== bytes) return;
    inMemory.delete(index);
    settled.delete(index);
  }

  /** Begins with the parts that come next, where files are read from their beginning on and a slot is free. */
  function readAhead(index: number): void {
    if (index > 0 && !unread.has(index - 1)) return;
    for (let next = index + 1; beginOf(next) < byteLength; next++) {
      if (underWay >= FETCHES_AT_ONCE || inMemory.size >= PARTS_IN_MEMORY) return;
      if (!unread.has(next)) part(next).catch(() => undefined);
    }
  }

  return {
    name,
    byteLength,
    async read(begin, end, readSignal, into) {
      signal.throwIfAborted();
      readSignal?.throwIfAborted();
      checkRange(name, byteLength, begin, end);
      if (begin === end) return new Uint8Array(0);
      const first = Math.floor(begin / partBytes);
      const isWithin = end <= beginOf(first) + lengthOf(first);
      const target = isWithin ? undefined : (into ?? allocateBytes(name, end - begin));
      for (let index = first; beginOf(index) < end; index++) {
        const promise = part(index);
        readAhead(index);
        const bytes = await untilAborted(promise, readSignal);
        const from = Math.max(begin, beginOf(index));
        const to = Math.min(end, beginOf(index) + lengthOf(index));
        const wanted = bytes.subarray(from - beginOf(index), to - beginOf(index));
        const left = unread.get(index)! - wanted.byteLength;
        unread.set(index, left);
        if (left <= 0) forget(index, promise);
        if (target === undefined) return wanted;
        target.set(wanted, from - begin);
      }
      return target ?? new Uint8Array(0);
    },
    async close() {
      closing.abort(new Error(`${name}: was closed; open it again to read from it`));
      await Promise.allSettled(writing);
      inMemory.clear();
      opening?.then((opened) => opened.close()).catch(() => undefined); // it may still be waiting for its server
    },
  };
}

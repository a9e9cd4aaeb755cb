// The leader of the pool: carries out the device's orders one after the other, and walks programs as thread 0 while its helpers
// walk with it. Between runs no other worker writes the memories, and only the leader copies from one memory to another.

import { instantiate, type Instance } from "./instance.ts";
import {
  type Added,
  COPY_WORDS,
  type FromWorker,
  type Order,
  type Place,
  type Placed,
  type Replay,
  type Request,
  type Start,
  type ToWorker,
  type Wanted,
} from "./messages.ts";
import { applyPatches } from "./patches.ts";
import { type Port, webAssembly, type WasmMemory } from "./platform.ts";
import { takeNotice } from "./shared-memory.ts";

/** Word of the control block with the index of the call that is running. */
const PLACE_WORD = 4;

/** Offset in the control block of the program with the one packing call; walk.as.ts uses the bytes before it. */
const PACK_TABLE_BYTES = 512;

/** The last message of a worker that fails; in a run it has the index of the call that was running, which is the same for all threads. */
export function fatal(error: unknown, { memory, control }: Pick<Start, "memory" | "control">, isRunning: boolean) {
  const place = isRunning ? new Uint32Array(memory!.buffer, control, PLACE_WORD + 1)[PLACE_WORD]! : -1;
  const message = error instanceof Error ? error.message : String(error);
  return { kind: "fatal", message, place, isOutOfMemory: false } as const satisfies FromWorker;
}

/** Carries out orders on memories. */
export class Leader {
  readonly #memories: WasmMemory[];
  /** the first memory's */
  readonly #instance: Instance;
  readonly #start: Start;
  readonly #parent: Pick<Port, "post">;
  #isRunning = false;
  #isLost = false;

  constructor(start: Start, parent: Pick<Port, "post">) {
    this.#start = start;
    this.#parent = parent;
    const memory = start.memory ?? ownMemory(start.pages);
    this.#memories = [memory];
    this.#instance = instantiate(start.module, memory, start.scratch, start.modules);
    const { kernels, tableBase } = this.#instance;
    this.#answer({ kind: "ready", kernels, tableBase });
  }

  /** Carries out one order. After an error it ignores all further ones, because memory may be half written. */
  obey(message: Exclude<ToWorker, Start>): void {
    if (this.#isLost) return;
    try {
      if ("id" in message) {
        const arrays = this.#request(message);
        this.#answer(
          { kind: "done", id: message.id, arrays },
          arrays.map(({ buffer }) => buffer as ArrayBuffer),
        );
      } else this.#order(message);
    } catch (error) {
      this.#isLost = true;
      const lost = fatal(error, { ...this.#start, memory: this.#memories[0] }, this.#isRunning);
      this.#answer({ ...lost, isOutOfMemory: message.kind === "grow" || message.kind === "memory" });
    }
  }

  #order(order: Order): void {
    switch (order.kind) {
      case "memory":
        this.#addMemory(order);
        return;
      case "grow":
        this.#memories[order.memory]!.grow(order.pages);
        return;
      case "zero":
        this.#bytes(order.memory, order.address, order.byteLength).fill(0);
        return;
      case "move":
        this.#move(order.from, order.to, order.byteLength);
        this.#bytes(order.to.memory, order.to.address + order.byteLength, order.zeros).fill(0);
        return;
      case "write":
        this.#write(order);
        return;
      case "patch":
        this.#patch(order.patches);
        return;
      default:
        order satisfies never;
    }
  }

  #request(request: Request): (Float32Array | Uint32Array)[] {
    switch (request.kind) {
      case "read":
        return [this.#read(request)];
      case "pack": {
        const { memory, record, staging, words } = request;
        if (words) this.#words(memory, staging, words.length).set(words);
        const table = this.#start.control + PACK_TABLE_BYTES;
        const call = table + 8;
        this.#words(0, table, 2).set([record[0]!, call]);
        this.#words(memory, call, record.length - 1).set(record.subarray(1));
        this.#replay(table, 0, 1, this.#start.threads);
        return words ? [words] : [];
      }
      case "run":
        return this.#run(request.table, request.steps);
      case "warm": {
        const end = performance.now() + request.milliseconds;
        do this.#replay(request.table, 0, 1, 1);
        while (performance.now() < end);
        return [];
      }
      default:
        return request satisfies never;
    }
  }

  /** Adds a memory. The helpers receive it from the caller's thread once they are back in their event loops. */
  #addMemory({ memory: given, pages }: Added): void {
    const { module, scratch, modules, threads, control } = this.#start;
    if (threads > 1) this.#instance.functions.dismiss(threads, control);
    const memory = given ?? ownMemory(pages);
    instantiate(module, memory, scratch, modules, this.#instance);
    takeNotice(memory);
    this.#memories.push(memory);
  }

  #run(table: number, steps: readonly Replay[]): Uint32Array[] {
    let total = 0;
    for (const { reads } of steps) for (const { length } of reads) total += length;
    const read = new Uint32Array(total);
    let next = 0;
    for (const { begin, end, patches, writes, copies, segments, reads } of steps) {
      this.#writeAll(writes);
      this.#copyAll(copies, 0, copies.length);
      this.#patch(patches);
      if (segments === undefined) this.#replay(table, begin, end, this.#start.threads);
      else this.#replaySegments(table, begin, segments);
      for (const { memory, address, length } of reads) {
        read.set(this.#words(memory, address, length), next);
        next += length;
      }
    }
    return total > 0 ? [read] : [];
  }

  /** Replays segment by segment, each after its transfers. */
  #replaySegments(table: number, begin: number, segments: Uint32Array): void {
    for (let at = 0, from = begin; at < segments.length;) {
      const copies = at + 2;
      const [count, end] = [segments[at]!, segments[at + 1]!];
      at = copies + count * COPY_WORDS;
      this.#copyAll(segments, copies, at);
      this.#replay(table, from, end, this.#start.threads);
      from = end;
    }
  }

  #replay(table: number, begin: number, end: number, threads: number): void {
    this.#isRunning = true;
    this.#instance.functions.replay(table, begin, end, threads, this.#start.control);
    this.#isRunning = false;
  }

  #writeAll(writes: Uint32Array): void {
    let memory = 0;
    let words = this.#wordsOf(0);
    for (let at = 0; at < writes.length;) {
      if (writes[at] !== memory) words = this.#wordsOf((memory = writes[at]!));
      const [to, from] = [writes[at + 1]! >>> 2, at + 3];
      at = from + writes[at + 2]!;
      words.set(writes.subarray(from, at), to);
    }
  }

  #copyAll(copies: ArrayLike<number>, begin: number, end: number): void {
    for (let i = begin; i < end; i += COPY_WORDS) {
      const from = { memory: copies[i]!, address: copies[i + 1]! };
      this.#move(from, { memory: copies[i + 2]!, address: copies[i + 3]! }, copies[i + 4]!);
    }
  }

  #move(from: Place, to: Place, byteLength: number): void {
    this.#bytes(to.memory, to.address, byteLength).set(this.#bytes(from.memory, from.address, byteLength));
  }

  #write({ memory, address, data }: Placed): void {
    const words = new Uint32Array(data.buffer, data.byteOffset, data.length);
    this.#words(memory, address, words.length).set(words);
  }

  #read({ memory, address, length, type }: Wanted): Float32Array | Uint32Array {
    // a view's slice lies in a buffer of its own, shared memory or not
    if (type === "u32") return this.#words(memory, address, length).slice();
    return new Float32Array(this.#memories[memory]!.buffer, address, length).slice();
  }

  #patch(patches: Uint32Array): void {
    applyPatches(patches, (memory) => this.#wordsOf(memory));
  }

  /** All words of a memory as it is now. */
  #wordsOf(memory: number): Uint32Array {
    return new Uint32Array(this.#memories[memory]!.buffer);
  }

  #bytes(memory: number, address: number, byteLength: number): Uint8Array {
    return new Uint8Array(this.#memories[memory]!.buffer, address, byteLength);
  }

  #words(memory: number, address: number, length: number): Uint32Array {
    return new Uint32Array(this.#memories[memory]!.buffer, address, length);
  }

  #answer(message: FromWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.#parent.post(message, transfer);
  }
}

function ownMemory(pages: number): WasmMemory {
  return new webAssembly.Memory({ initial: pages, maximum: 65536 });
}

// The lead worker: carries out the device's orders one after the other, and walks programs as thread 0 while the helpers
// walk along. It alone writes the memory between runs.

import { instantiate, type Instance } from "./instance.ts";
import type { FromWorker, Order, Placed, Replay, Request, Start, ToWorker, Wanted } from "./messages.ts";
import { type Port, webAssembly, type WasmMemory } from "./platform.ts";

/** Word of the control block that says which call is being made. */
const PLACE_WORD = 4;

/** Where in the control block the program of one packing call is written; walk.as.ts uses what lies before it. */
const PACK_TABLE_BYTES = 512;

/** What a worker says when it can go no further: in a run, with the place of the call being made, the same for all threads. */
export function fatal(error: unknown, { memory, control }: Pick<Start, "memory" | "control">, isRunning: boolean) {
  const place = isRunning ? new Uint32Array(memory!.buffer, control, PLACE_WORD + 1)[PLACE_WORD]! : -1;
  const message = error instanceof Error ? error.message : String(error);
  return { kind: "fatal", message, place, isOutOfMemory: false } as const satisfies FromWorker;
}

/** Carries out orders on a memory. */
export class Lead {
  readonly #memory: WasmMemory;
  readonly #instance: Instance | undefined;
  readonly #start: Start;
  readonly #parent: Pick<Port, "post">;
  #isRunning = false;
  #isLost = false;

  constructor(start: Start, parent: Pick<Port, "post">) {
    this.#start = start;
    this.#parent = parent;
    this.#memory = start.memory ?? new webAssembly.Memory({ initial: start.pages, maximum: 65536 });
    this.#instance = instantiate(start.module, this.#memory, start.scratch, start.modules);
    const { kernels, tableBase } = this.#instance;
    this.#answer({ kind: "ready", kernels, tableBase });
  }

  /** Carries out one order. An error ends this worker's service: what it was doing is half done. */
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
      const lost = fatal(error, { ...this.#start, memory: this.#memory }, this.#isRunning);
      this.#answer({ ...lost, isOutOfMemory: message.kind === "grow" });
    }
  }

  #order(order: Order): void {
    switch (order.kind) {
      case "grow":
        this.#memory.grow(order.pages);
        return;
      case "zero":
        this.#bytes(order.address, order.byteLength).fill(0);
        return;
      case "move":
        this.#bytes(order.to, order.byteLength).set(this.#bytes(order.from, order.byteLength));
        this.#bytes(order.to + order.byteLength, order.zeros).fill(0);
        return;
      case "write":
        this.#write(order);
        return;
      case "patch":
        this.#patch(order.pairs);
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
        const { record, staging, words } = request;
        if (words) this.#words(staging, words.length).set(words);
        const table = this.#start.control + PACK_TABLE_BYTES;
        this.#words(table, 1 + record.length).set([table + 4, ...record]);
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

  #run(table: number, steps: readonly Replay[]): Uint32Array[] {
    let total = 0;
    for (const { reads } of steps) for (const { length } of reads) total += length;
    const read = new Uint32Array(total);
    let next = 0;
    for (const { begin, end, pairs, writes, copies, reads } of steps) {
      const words = new Uint32Array(this.#memory.buffer);
      for (let at = 0; at < writes.length;) {
        const [to, from] = [writes[at]! >>> 2, at + 2];
        at = from + writes[at + 1]!;
        words.set(writes.subarray(from, at), to);
      }
      for (let i = 0; i < copies.length; i += 3) {
        this.#bytes(copies[i + 1]!, copies[i + 2]!).set(this.#bytes(copies[i]!, copies[i + 2]!));
      }
      this.#patch(pairs);
      this.#replay(table, begin, end, this.#start.threads);
      for (const { address, length } of reads) {
        read.set(this.#words(address, length), next);
        next += length;
      }
    }
    return total > 0 ? [read] : [];
  }

  #replay(table: number, begin: number, end: number, threads: number): void {
    this.#isRunning = true;
    this.#instance!.functions.replay(table, begin, end, threads, this.#start.control);
    this.#isRunning = false;
  }

  #write({ address, data }: Placed): void {
    const words = new Uint32Array(data.buffer, data.byteOffset, data.length);
    this.#words(address, words.length).set(words);
  }

  #read({ address, length, type }: Wanted): Float32Array | Uint32Array {
    // a view's slice lies in a buffer of its own, shared memory or not
    if (type === "u32") return this.#words(address, length).slice();
    return new Float32Array(this.#memory.buffer, address, length).slice();
  }

  #patch(pairs: Uint32Array): void {
    const words = new Uint32Array(this.#memory.buffer);
    for (let i = 0; i < pairs.length; i += 2) words[pairs[i]! >>> 2] = pairs[i + 1]!;
  }

  #bytes(address: number, byteLength: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, address, byteLength);
  }

  #words(address: number, length: number): Uint32Array {
    return new Uint32Array(this.#memory.buffer, address, length);
  }

  #answer(message: FromWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.#parent.post(message, transfer);
  }
}

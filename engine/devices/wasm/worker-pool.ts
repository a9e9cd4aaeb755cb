// The pool of workers of one device, as the caller's thread sees it. The leader receives all orders and carries them out in the
// order in which they were sent; requests are answered by number. If a worker ends by itself, memory is left half written, so
// the whole pool ends and every pending request rejects with the reason.

import { DeviceError } from "../device.ts";
import type { FromWorker, Order, Request, Start } from "./messages.ts";
import { SCRATCH_BYTES } from "./instance.ts";
import { importCopies } from "./module.ts";
import type { Port, WasmMemory } from "./platform.ts";
import { startWorker } from "./start-worker.ts";

type Ready = Extract<FromWorker, { kind: "ready" }>;
type Arrays = readonly (Float32Array | Uint32Array)[];
interface Waiting {
  resolve(arrays: Arrays): void;
  reject(error: DeviceError): void;
  /** describes the request in an error; `place` is the index of the call that was running */
  readonly name: (place: number) => string;
}

/** The leader and its helpers. */
export class WorkerPool {
  readonly #ports: Port[] = [];
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  /** the error that ended the pool */
  #ended: DeviceError | undefined;
  #place = new Map<string, number>();
  #memories = 1;

  /** Starts the workers; resolves when all are ready. Throws a DeviceError when one cannot be. */
  static async start(start: Omit<Start, "kind" | "thread">): Promise<WorkerPool> {
    const pool = new WorkerPool();
    const ready = Array.from({ length: start.threads }, (_, thread) =>
      pool.#startWorker({ ...start, kind: "start", thread, scratch: start.scratch + thread * SCRATCH_BYTES }),
    );
    const [leader] = await Promise.all(ready);
    leader!.kernels.forEach((name, i) => pool.#place.set(name, leader!.tableBase + i));
    pool.#ports[0]!.holdProcess(false);
    return pool;
  }

  /** The index of a kernel's function for a memory, the same in the function table of every worker. */
  placeOf(kernel: string, memory = 0): number | undefined {
    const place = this.#place.get(kernel);
    return place === undefined ? undefined : place + memory * this.#place.size;
  }

  /** As `placeOf`; throws a DeviceError where the module has no such function. */
  knownPlaceOf(kernel: string, memory: number): number {
    const place = this.placeOf(kernel, memory);
    if (place === undefined) throw new DeviceError("unfit", `the kernels' module has no function ${kernel}`);
    return place;
  }

  /** Adds a memory to all workers, a shared one or one that only the leader has, and returns its number. */
  addMemory(memory: WasmMemory | undefined, pages: number): number {
    if (this.#ended === undefined) for (const port of this.#ports) port.post({ kind: "memory", memory, pages });
    return this.#memories++;
  }

  /** Sends an order to the leader. Does nothing once the pool has ended; the next request rejects with the reason. */
  order(order: Order, transfer: readonly ArrayBuffer[] = []): void {
    if (this.#ended === undefined) this.#ports[0]!.post(order, transfer);
  }

  /** Sends a request to the leader and resolves to its answer. */
  request(
    request: Request,
    name: (place: number) => string = () => request.kind,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Arrays> {
    if (this.#ended !== undefined) return Promise.reject(again(this.#ended));
    const id = this.#nextId++;
    return new Promise<Arrays>((resolve, reject) => {
      if (this.#waiting.size === 0) this.#ports[0]!.holdProcess(true);
      this.#waiting.set(id, { resolve, reject, name });
      this.#ports[0]!.post({ ...request, id }, transfer);
    });
  }

  /** Throws the DeviceError that ended the pool, if one did. */
  throwIfEnded(): void {
    if (this.#ended !== undefined) throw again(this.#ended);
  }

  /** Ends all workers; pending and later requests reject with `error`. Resolves when the workers have ended. */
  async end(error: DeviceError): Promise<void> {
    if (this.#ended === undefined) {
      this.#ended = error;
      for (const { reject } of this.#waiting.values()) reject(again(error));
      this.#waiting.clear();
    }
    await Promise.all(this.#ports.map((port) => port.terminate()));
  }

  /** Starts one from its file or, where that ends before it is ready, from `script`, a copy; resolves when it is ready. */
  #startWorker(start: Start, script?: URL): Promise<Ready> {
    const { thread } = start;
    return new Promise((resolve, reject) => {
      let isReplaceable = script === undefined; // and not ready
      let isReplaced = false;
      const onEnd = (cause: unknown): void => {
        if (isReplaced) return;
        const fail = (): void => {
          const name = thread === 0 ? "kedge leader" : `kedge helper ${thread}`;
          const reason = cause instanceof Error ? cause.message : String(cause);
          const error = new DeviceError("lost", `wasm: ${name} of ${start.threads} threads ended: ${reason}`);
          void this.end(error);
          reject(error);
        };
        if (!isReplaceable || this.#ended) return fail();
        isReplaced = true;
        importCopies()
          .then(({ workerCopy }) => workerCopy())
          .then((copy) => resolve(this.#startWorker(start, copy)), fail);
      };
      const onMessage = (data: unknown): void => {
        const message = data as FromWorker;
        if (message.kind === "ready") {
          isReplaceable = false;
          resolve(message);
        } else this.#receive(message);
      };
      try {
        this.throwIfEnded();
        const port = startWorker(onMessage, onEnd, script);
        if (thread === 0) port.holdProcess(true);
        this.#ports[thread] = port;
        port.post(start);
      } catch (error) {
        onEnd(error);
      }
    });
  }

  #receive(message: Exclude<FromWorker, { kind: "ready" }>): void {
    if (message.kind === "fatal") {
      const [first] = this.#waiting.values();
      const where = first === undefined || message.place < 0 ? "wasm" : first.name(message.place);
      void this.end(
        message.isOutOfMemory
          ? new DeviceError("out-of-memory", `wasm: the engine refuses to grow the memory: ${message.message}`)
          : new DeviceError("lost", `${where}: ${message.message}; the wasm device can go no further`),
      );
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (this.#waiting.size === 0 && this.#ended === undefined) this.#ports[0]!.holdProcess(false);
    waiting?.resolve(message.arrays);
  }
}

/** A copy of the error with the stack of the current caller. */
function again(error: DeviceError): DeviceError {
  return new DeviceError(error.kind, error.message, { cause: error });
}

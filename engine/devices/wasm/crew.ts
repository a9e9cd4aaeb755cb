// The workers of one device as the caller's thread sees them: orders go to the lead in order, answers come back by number.
// If any worker ends by itself the whole crew is lost: what it was doing is half done, and all who wait are told why.

import { DeviceError } from "../device.ts";
import type { FromWorker, Order, Request, Start } from "./messages.ts";
import { SCRATCH_BYTES } from "./instance.ts";
import { type Port, startWorker, type WasmMemory } from "./platform.ts";

type Arrays = readonly (Float32Array | Uint32Array)[];
interface Waiting {
  resolve(arrays: Arrays): void;
  reject(error: DeviceError): void;
  /** what the request was about: `place` is that of the call being made */
  readonly name: (place: number) => string;
}

/** Lead and helpers. */
export class Crew {
  readonly #ports: Port[] = [];
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  /** why the crew takes no more orders */
  #ended: DeviceError | undefined;
  #place = new Map<string, number>();
  #memories = 1;

  /** Starts the workers; resolves when all are ready. Throws a DeviceError when one cannot be. */
  static async start(start: Omit<Start, "kind" | "thread">): Promise<Crew> {
    const crew = new Crew();
    const ready = Array.from({ length: start.threads }, (_, thread) =>
      crew.#startWorker({ ...start, kind: "start", thread, scratch: start.scratch + thread * SCRATCH_BYTES }),
    );
    const [lead] = await Promise.all(ready);
    lead!.kernels.forEach((name, i) => crew.#place.set(name, lead!.tableBase + i));
    crew.#ports[0]!.holdProcess(false);
    return crew;
  }

  /** Place of a kernel's function, that of one memory's instance, in every worker's function table. */
  placeOf(kernel: string, memory = 0): number | undefined {
    const place = this.#place.get(kernel);
    return place === undefined ? undefined : place + memory * this.#place.size;
  }

  /** The same place; throws a DeviceError where the module has no such function. */
  knownPlaceOf(kernel: string, memory: number): number {
    const place = this.placeOf(kernel, memory);
    if (place === undefined) throw new DeviceError("unfit", `the kernels' module has no function ${kernel}`);
    return place;
  }

  /** One memory more for all workers, a shared one or the lead's own; returns its number. */
  addMemory(memory: WasmMemory | undefined, pages: number): number {
    if (this.#ended === undefined) for (const port of this.#ports) port.post({ kind: "memory", memory, pages });
    return this.#memories++;
  }

  /** Sends an order to the lead. Does nothing once the crew has ended: the next request says so. */
  order(order: Order, transfer: readonly ArrayBuffer[] = []): void {
    if (this.#ended === undefined) this.#ports[0]!.post(order, transfer);
  }

  /** Sends a request to the lead, and waits for its answer. */
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

  /** Throws the DeviceError that ended the crew, if one did. */
  throwIfEnded(): void {
    if (this.#ended !== undefined) throw again(this.#ended);
  }

  /** Ends all workers; everyone who waits, and whoever asks later, is given `error`. */
  end(error: DeviceError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    for (const port of this.#ports) port.terminate();
    for (const { reject } of this.#waiting.values()) reject(again(error));
    this.#waiting.clear();
  }

  #startWorker(start: Start): Promise<Extract<FromWorker, { kind: "ready" }>> {
    const { thread } = start;
    return new Promise((resolve, reject) => {
      const name = thread === 0 ? "kedge lead" : `kedge helper ${thread}`;
      const port = startWorker(
        (data) => {
          const message = data as FromWorker;
          if (message.kind === "ready") resolve(message);
          else this.#receive(message);
        },
        (reason) => {
          const error = new DeviceError("lost", `wasm: ${name} of ${start.threads} threads ended: ${reason}`);
          this.end(error);
          reject(error);
        },
      );
      if (thread === 0) port.holdProcess(true);
      this.#ports.push(port);
      port.post(start);
    });
  }

  #receive(message: Exclude<FromWorker, { kind: "ready" }>): void {
    if (message.kind === "fatal") {
      const [first] = this.#waiting.values();
      const where = first === undefined || message.place < 0 ? "wasm" : first.name(message.place);
      this.end(
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

/** The same error with the stack of whoever is told now. */
function again(error: DeviceError): DeviceError {
  return new DeviceError(error.kind, error.message, { cause: error });
}

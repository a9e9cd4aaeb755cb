// Recorded forward passes made ready by the device: one for each way of keeping keys, and a few open ones with taps. An open one
// is leased while a pass runs on it: only recordings that nobody uses are disposed of, the least recently used first.

import type { Keeping } from "../cache/keeping.ts";
import type { CacheStore } from "../cache/store.ts";
import type { Device, Executable, PrepareOptions } from "../devices/device.ts";
import { recordForward, type Recording } from "./recording.ts";
import { recordingKey, type Look } from "./taps.ts";
import type { RecordOptions, TransformerParts } from "./transformer.ts";

/** A recorded forward pass made ready by the device. */
export interface Prepared {
  readonly recording: Recording;
  readonly executable: Executable;
}

/** An open recording, how many passes use it or wait for it. */
interface Leased {
  readonly prepared: Promise<Prepared>;
  leases: number;
}

/** Open recordings that are kept although no pass uses them. */
const IDLE_RECORDINGS = 4;

/** The recordings of one model on one device. */
export class Recordings {
  readonly #device: Device;
  readonly #parts: Omit<TransformerParts, "store">;
  readonly #fused = new Map<string, Promise<Prepared>>();
  /** the most recently used last */
  readonly #open = new Map<string, Leased>();

  constructor(device: Device, parts: Omit<TransformerParts, "store">) {
    this.#device = device;
    this.#parts = parts;
  }

  /** The fused pass for sequences kept in this way, recorded on first use; with the top-K logits at its end on demand. */
  fused(store: CacheStore, keeping: Keeping, wantsTopLogits: boolean, options: PrepareOptions = {}): Promise<Prepared> {
    const { isPerLayer, attentionLayers, wantsKeyNorms } = keeping;
    const key = JSON.stringify([isPerLayer, attentionLayers, wantsKeyNorms, wantsTopLogits]);
    const held = this.#fused.get(key);
    if (held) return held;
    const made = store
      .prepare(options.signal)
      .then(() => this.#prepare(store, { attentionLayers, wantsKeyNorms, wantsTopLogits }, options));
    this.#fused.set(key, made);
    made.catch(() => this.#fused.delete(key));
    return made;
  }

  /** Runs a task on the open pass with these taps. The recording is not disposed of before the task ends. */
  async withOpen<T>(
    store: CacheStore,
    look: Look,
    signal: AbortSignal | undefined,
    task: (prepared: Prepared) => Promise<T>,
  ): Promise<T> {
    const key = recordingKey(look, this.#parts.config);
    const leased = this.#open.get(key) ?? this.#startOpen(key, store, look);
    this.#open.delete(key);
    this.#open.set(key, leased);
    leased.leases++;
    try {
      return await task(await orAbort(leased.prepared, signal));
    } finally {
      leased.leases--;
      this.#disposeIdle();
    }
  }

  /** Frees all recordings. */
  dispose(): void {
    for (const prepared of this.#fused.values()) disposeOf(prepared);
    for (const { prepared } of this.#open.values()) disposeOf(prepared);
    this.#fused.clear();
    this.#open.clear();
  }

  /** Begins to prepare an open recording. Several passes may wait for it, so that no signal of one of them ends it. */
  #startOpen(key: string, store: CacheStore, look: Look): Leased {
    const leased = { prepared: this.#prepare(store, { look }, {}), leases: 0 };
    // One that could not be prepared is tried again by the next pass.
    leased.prepared.catch(() => this.#open.get(key) === leased && this.#open.delete(key));
    return leased;
  }

  #disposeIdle(): void {
    const idle = [...this.#open].filter(([, { leases }]) => leases === 0);
    for (const [key, { prepared }] of idle.slice(0, Math.max(0, idle.length - IDLE_RECORDINGS))) {
      this.#open.delete(key);
      disposeOf(prepared);
    }
  }

  async #prepare(store: CacheStore, recordOptions: RecordOptions, options: PrepareOptions): Promise<Prepared> {
    const recording = recordForward({ ...this.#parts, store }, recordOptions);
    const executable = await this.#device.prepare(recording.program, options);
    return { recording, executable };
  }
}

/** Frees a recording once it is ready; one that could not be prepared has nothing to free. */
function disposeOf(prepared: Promise<Prepared>): void {
  prepared.then(({ executable }) => executable.dispose()).catch(() => undefined);
}

/** The promise, or the signal's reason as soon as it aborts. */
function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

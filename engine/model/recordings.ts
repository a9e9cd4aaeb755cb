// Recorded forward passes that the device has prepared: a fused one for each way of keeping keys, and a few with taps. A recording
// with taps is leased while a pass runs on it. Only recordings without a lease are disposed of, the least recently used first.

import type { Keeping } from "../cache/keeping.ts";
import type { CacheStore } from "../cache/store.ts";
import type { Device, Executable, PrepareOptions } from "../devices/device.ts";
import { untilAborted } from "../../loaders/index.ts";
import { recordForward, type Recording } from "./recording.ts";
import type { KeyedTaps, TapRequest } from "./taps.ts";
import type { RecordOptions, TransformerParts } from "./transformer.ts";

/** A recorded forward pass that the device has prepared. */
export interface Prepared {
  readonly recording: Recording;
  readonly executable: Executable;
}

/** A recording with taps, and the number of passes that use it or wait for it. */
interface Leased {
  readonly prepared: Promise<Prepared>;
  leases: number;
}

/** Number of recordings with taps that are kept without a lease. */
const IDLE_RECORDINGS = 4;

/** The recordings of one model on one device. */
export class Recordings {
  readonly #device: Device;
  readonly #parts: Omit<TransformerParts, "store">;
  readonly #fused = new Map<string, Promise<Prepared>>();
  /** the most recently used last */
  readonly #tapped = new Map<string, Leased>();

  constructor(device: Device, parts: Omit<TransformerParts, "store">) {
    this.#device = device;
    this.#parts = parts;
  }

  /** Returns the fused pass for sequences kept in this way, with the top-K logits at its end if wanted. It is recorded on first use. */
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

  /** Runs a task on the pass with these taps. The recording is not disposed of before the task ends. */
  async withTaps<T>(
    store: CacheStore,
    taps: KeyedTaps,
    signal: AbortSignal | undefined,
    task: (prepared: Prepared) => Promise<T>,
  ): Promise<T> {
    const { key } = taps;
    const leased = this.#tapped.get(key) ?? this.#prepareTapped(key, store, taps);
    this.#tapped.delete(key);
    this.#tapped.set(key, leased);
    leased.leases++;
    try {
      return await task(await untilAborted(leased.prepared, signal));
    } finally {
      leased.leases--;
      this.#disposeIdle();
    }
  }

  /** Frees all recordings. */
  dispose(): void {
    for (const prepared of this.#fused.values()) disposeOf(prepared);
    for (const { prepared } of this.#tapped.values()) disposeOf(prepared);
    this.#fused.clear();
    this.#tapped.clear();
  }

  /** Begins to prepare a recording with taps. Several passes may wait for it, so the signal of one of them does not end it. */
  #prepareTapped(key: string, store: CacheStore, taps: TapRequest): Leased {
    const leased = { prepared: this.#prepare(store, { taps }, {}), leases: 0 };
    // After a failure the next pass prepares it again.
    leased.prepared.catch(() => this.#tapped.get(key) === leased && this.#tapped.delete(key));
    return leased;
  }

  #disposeIdle(): void {
    const idle = [...this.#tapped].filter(([, { leases }]) => leases === 0);
    for (const [key, { prepared }] of idle.slice(0, Math.max(0, idle.length - IDLE_RECORDINGS))) {
      this.#tapped.delete(key);
      disposeOf(prepared);
    }
  }

  async #prepare(store: CacheStore, recordOptions: RecordOptions, options: PrepareOptions): Promise<Prepared> {
    const recording = recordForward({ ...this.#parts, store }, recordOptions);
    const executable = await this.#device.prepare(recording.program, options);
    return { recording, executable };
  }
}

/** Frees a recording once it is prepared. A recording whose preparation failed has nothing to free. */
function disposeOf(prepared: Promise<Prepared>): void {
  prepared.then(({ executable }) => executable.dispose()).catch(() => undefined);
}

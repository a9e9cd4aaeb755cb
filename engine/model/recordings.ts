// Recorded forward passes that the device has prepared: a fused one for each way of keeping keys, and a few that were asked for, with
// taps or over some layers only. Such a recording is leased while a pass runs on it. Only recordings without a lease are disposed of, the least recently used first.

import type { Keeping } from "../cache/keeping.ts";
import type { CacheStore } from "../cache/store.ts";
import type { Device, Executable, PrepareOptions } from "../devices/device.ts";
import { untilAborted } from "../../loaders/index.ts";
import { recordForward, type Recording } from "./recording.ts";
import type { Ending, RecordOptions, TransformerParts } from "./record-options.ts";

/** A recorded forward pass that the device has prepared. */
export interface Prepared {
  readonly recording: Recording;
  readonly executable: Executable;
}

/** A recording to be made, and a key that is equal for two of them if the same recording serves both. */
export interface AskedRecording extends RecordOptions {
  readonly key: string;
}

/** A recording that was asked for, and the number of passes that use it or wait for it. */
interface Leased {
  readonly prepared: Promise<Prepared>;
  leases: number;
}

/** Number of such recordings that are kept without a lease. */
const IDLE_RECORDINGS = 4;

/** The recordings of one model on one device. */
export class Recordings {
  readonly #device: Device;
  readonly #parts: Omit<TransformerParts, "store">;
  readonly #fused = new Map<string, Promise<Prepared>>();
  /** the most recently used last */
  readonly #asked = new Map<string, Leased>();

  constructor(device: Device, parts: Omit<TransformerParts, "store">) {
    this.#device = device;
    this.#parts = parts;
  }

  /** Returns the fused pass for sequences kept in this way. It is recorded on first use. */
  fused(store: CacheStore, keeping: Keeping, ending: Ending, options: PrepareOptions = {}): Promise<Prepared> {
    const { isPerLayer, attentionLayers, wantsKeyNorms } = keeping;
    const key = JSON.stringify([
      isPerLayer,
      attentionLayers,
      wantsKeyNorms,
      ending.wantsTopLogits === true,
      ending.combines === true,
    ]);
    const held = this.#fused.get(key);
    if (held) return held;
    const made = store
      .prepare(options.signal)
      .then(() => (ending.combines ? import("./combining.ts") : undefined))
      .then((combining) => this.#prepare(store, { attentionLayers, wantsKeyNorms, ...ending, combining }, options));
    this.#fused.set(key, made);
    made.catch(() => this.#fused.delete(key));
    return made;
  }

  /** Runs a task on a recording, which is not disposed of before the task ends. */
  async asked<T>(
    store: CacheStore,
    recording: AskedRecording,
    signal: AbortSignal | undefined,
    task: (prepared: Prepared) => Promise<T>,
  ): Promise<T> {
    const { key } = recording;
    const leased = this.#asked.get(key) ?? this.#prepareAsked(store, recording);
    this.#asked.delete(key);
    this.#asked.set(key, leased);
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
    for (const { prepared } of this.#asked.values()) disposeOf(prepared);
    this.#fused.clear();
    this.#asked.clear();
  }

  /** Begins to prepare a recording. Several passes may wait for it, so the signal of one of them does not end it. */
  #prepareAsked(store: CacheStore, { key, ...options }: AskedRecording): Leased {
    const leased = { prepared: this.#prepare(store, options, {}), leases: 0 };
    // After a failure the next pass prepares it again.
    leased.prepared.catch(() => this.#asked.get(key) === leased && this.#asked.delete(key));
    return leased;
  }

  #disposeIdle(): void {
    const idle = [...this.#asked].filter(([, { leases }]) => leases === 0);
    for (const [key, { prepared }] of idle.slice(0, Math.max(0, idle.length - IDLE_RECORDINGS))) {
      this.#asked.delete(key);
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

// Greedy steps whose tokens are read later: what a step chooses is fed to the next on the device; the host knows everything else
// that the next step writes (positions, slots, lists of keys, rotations) beforehand.
//
// Until the caller takes a step's tokens, the cache counts nothing of the step, and it can be rolled back.

import { canDrop, type Keeping } from "../cache/keeping.ts";
import type { CacheStore } from "../cache/store.ts";
import type { Part } from "./chunks.ts";

/** Tokens of all rows together that are read at once, by default. */
const AHEAD_TOKENS = 16;
/** How long the caller waits for them by default, so that text still comes smoothly. */
const AHEAD_MILLISECONDS = 50;

/** How many steps run before their tokens are read. */
export interface AheadLimits {
  readonly tokens?: number | undefined;
  readonly milliseconds?: number | undefined;
}

/** Chooses how many steps to queue from the duration of the last one; 1 until one was timed. */
export class Pace {
  readonly #tokens: number;
  readonly #milliseconds: number;
  #stepMilliseconds = Infinity;

  constructor({ tokens = AHEAD_TOKENS, milliseconds = AHEAD_MILLISECONDS }: AheadLimits = {}) {
    this.#tokens = tokens;
    this.#milliseconds = milliseconds;
  }

  /** Steps of so many rows to queue before their tokens are read. */
  stepsOf(rows: number): number {
    const inTime = this.#milliseconds === Infinity ? Infinity : this.#milliseconds / this.#stepMilliseconds;
    return Math.max(1, Math.floor(Math.min(inTime, this.#tokens / rows)));
  }

  /** Times work that makes a step for each of its results. */
  async time<T>(work: () => Promise<readonly T[]>): Promise<readonly T[]> {
    const begin = performance.now();
    const results = await work();
    this.#stepMilliseconds = (performance.now() - begin) / results.length;
    return results;
  }
}

/** True if the cache keeps what it keeps whatever the tokens and statistics, so that steps can be planned before they run. */
export function isForeseeable(keeping: Keeping): boolean {
  const { policy, attentionLayers, wantsKeyNorms } = keeping;
  return !canDrop(keeping) && !policy.keep && attentionLayers.length === 0 && !wantsKeyNorms;
}

/**
 * The tokens of steps that ran ahead, to be taken one step at a time. A step counts once it is taken; ending the iteration early
 * rolls back the steps whose tokens were not taken.
 */
export class AheadResults implements Iterable<Uint32Array> {
  readonly #store: CacheStore;
  readonly #parts: readonly Part[];
  readonly #steps: readonly Uint32Array[];
  readonly #isCounted: boolean;
  readonly #signal: AbortSignal | undefined;

  /** `isCounted`: the cache counts the steps already. */
  constructor(
    store: CacheStore,
    parts: readonly Part[],
    steps: readonly Uint32Array[],
    { isCounted, signal }: { readonly isCounted: boolean; readonly signal: AbortSignal | undefined },
  ) {
    this.#store = store;
    this.#parts = parts;
    this.#steps = steps;
    this.#isCounted = isCounted;
    this.#signal = signal;
  }

  /** [rows] tokens of each step. Throws the signal's reason on an abort. */
  *[Symbol.iterator](): Generator<Uint32Array, void, undefined> {
    const sequences = this.#parts.map(({ sequence }) => sequence.stored);
    try {
      for (const step of this.#steps) {
        this.#signal?.throwIfAborted();
        if (!this.#isCounted) this.#store.confirm(sequences.filter(({ isOpen }) => isOpen));
        yield step;
      }
    } finally {
      if (!this.#isCounted) for (const sequence of sequences) this.#store.rollBack(sequence);
    }
  }
}

// Run-ahead: greedy steps that are queued before the tokens of earlier ones are read. The device copies the tokens that a step chooses
// to the next one; the host knows all other inputs (positions, slots, lists of keys, rotations) beforehand.
//
// A step is confirmed when the caller takes its tokens. Until then the cache does not count it, and it can be rolled back.

import { canDrop, type Keeping } from "../cache/keeping.ts";
import type { CacheStore } from "../cache/store.ts";
import type { StoredSequence } from "../cache/stored-sequence.ts";
import type { Part } from "./part.ts";

/** Tokens, over all rows, that are read at once by default. */
const AHEAD_TOKENS = 16;
/** Time that the steps may take by default; it is short so that text appears smoothly. */
const AHEAD_MILLISECONDS = 50;

/** Limits of how many steps run before their tokens are read. */
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

  /** Returns how many steps of `rows` rows to queue before their tokens are read. */
  stepsOf(rows: number): number {
    const inTime = this.#milliseconds === Infinity ? Infinity : this.#milliseconds / this.#stepMilliseconds;
    return Math.max(1, Math.floor(Math.min(inTime, this.#tokens / rows)));
  }

  /** Runs and times work that makes one step per result. */
  async time<T>(work: () => Promise<readonly T[]>): Promise<readonly T[]> {
    const begin = performance.now();
    const results = await work();
    this.#stepMilliseconds = (performance.now() - begin) / results.length;
    return results;
  }
}

/** True if the kept keys do not depend on tokens or statistics, so that steps can be planned before earlier ones have run. */
export function isForeseeable(keeping: Keeping): boolean {
  const { policy, attentionLayers, wantsKeyNorms } = keeping;
  return !canDrop(keeping) && !policy.keep && attentionLayers.length === 0 && !wantsKeyNorms;
}

/** Steps that ran ahead, of the rows of one request or of several, each of which takes its own. */
export interface AheadRun {
  readonly store: CacheStore;
  readonly sequences: readonly StoredSequence[];
  /** [rows] tokens of each step, or [choices] of steps that combine */
  readonly steps: readonly Uint32Array[];
  /** steps that somebody has confirmed, and which are counted */
  counted: number;
}

/**
 * The tokens of one request's rows in steps that ran ahead. Taking a step's tokens confirms these rows; ending the iteration early rolls
 * back those of the other steps.
 */
export class AheadResults implements Iterable<Uint32Array> {
  readonly #run: AheadRun;
  readonly #parts: readonly Part[];
  readonly #range: Readonly<{ begin: number; end: number }>;
  readonly #signal: AbortSignal | undefined;

  /** The tokens for `parts` are begin..end of each step. */
  constructor(
    run: AheadRun,
    parts: readonly Part[],
    range: Readonly<{ begin: number; end: number }>,
    signal: AbortSignal | undefined,
  ) {
    this.#run = run;
    this.#parts = parts;
    this.#range = range;
    this.#signal = signal;
  }

  /** Tokens begin..end of each step. Throws the signal's reason on an abort. */
  *[Symbol.iterator](): Generator<Uint32Array, void, undefined> {
    const run = this.#run;
    const rows = this.#parts.map(({ sequence }) => ({ sequence: sequence.stored, tokens: 1 }));
    try {
      for (const [i, step] of run.steps.entries()) {
        this.#signal?.throwIfAborted();
        run.store.confirm(rows);
        if (i === run.counted) {
          run.counted++;
          run.store.countStep(run.sequences);
        }
        yield step.subarray(this.#range.begin, this.#range.end);
      }
    } finally {
      for (const { sequence } of rows) run.store.rollBack(sequence);
    }
  }
}

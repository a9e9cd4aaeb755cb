// Greedy steps whose tokens are read later: what a step chooses is fed to the next on the device, everything else that the next
// writes (positions, slots, lists of keys, rotations) is known on the host beforehand.
//
// Until a step's tokens are given to the caller, the cache counts nothing of it, and it can be taken back.

import type { CacheStore } from "../cache/store.ts";
import type { Step } from "../devices/device.ts";
import type { Chunk, Part } from "./chunks.ts";
import type { Engine } from "./engine.ts";
import { canDrop, type Keeping } from "./keeping.ts";

/** Tokens that are read at once, those of all rows together. */
const AHEAD_TOKENS = 16;
/** How long the caller waits for them, so that text still comes smoothly. */
const AHEAD_MILLISECONDS = 50;

/** How many steps are run before their tokens are read. */
export interface AheadLimits {
  readonly tokens?: number;
  readonly milliseconds?: number;
}

/** Counts the steps to run ahead by the time that the newest took; none at first. */
export class Pace {
  readonly #tokens: number;
  readonly #milliseconds: number;
  #stepMilliseconds = Infinity;

  constructor({ tokens = AHEAD_TOKENS, milliseconds = AHEAD_MILLISECONDS }: AheadLimits = {}) {
    this.#tokens = tokens;
    this.#milliseconds = milliseconds;
  }

  /** Steps of so many rows to run before their tokens are read. */
  stepsOf(rows: number): number {
    const inTime = this.#milliseconds === Infinity ? Infinity : this.#milliseconds / this.#stepMilliseconds;
    return Math.max(1, Math.floor(Math.min(inTime, this.#tokens / rows)));
  }

  /** What `work` gives; it makes so many steps, and is timed. */
  async time<T>(steps: number, work: () => Promise<T>): Promise<T> {
    const begin = performance.now();
    const result = await work();
    this.#stepMilliseconds = (performance.now() - begin) / steps;
    return result;
  }
}

/** True if what stays in the cache depends on no token and no statistic, so that steps can be planned before they are made. */
export function isForeseeable(keeping: Keeping): boolean {
  const { policy, weighedLayers, wantsKeyNorms } = keeping;
  return !canDrop(keeping) && !policy.keep && weighedLayers.length === 0 && !wantsKeyNorms;
}

/**
 * Steps of one token each, at most so many, up to call `end` of the recording: the first feeds the chunk's tokens, the others what
 * the step before chose. After the first, no more than there is room for: nothing on the device grows for what may be taken back.
 */
export function planAhead(engine: Engine, store: CacheStore, { parts, outputs }: Chunk, most: number, end: number) {
  const { tokens, best, outputRows } = engine.activations.ports;
  const rows = parts.length;
  const reads = [{ tensor: best, begin: 0, end: rows }];
  const first = engine.plan(parts, rows, false, true);
  const writes = [...first.writes, { tensor: outputRows, data: Uint32Array.from(outputs, ({ row }) => row) }];
  const steps: Step[] = [{ variables: first.variables, writes, reads, end }];
  const inContext = parts.map(({ sequence }) => engine.contextLength - sequence.length);
  const count = Math.min(most - 1, store.stepsOfRoom(parts.map(({ sequence }) => sequence.stored)), ...inContext);
  const unknown = parts.map(({ sequence }) => ({ sequence, tokens: [0] }));
  const copies = [{ from: best, to: tokens, length: rows }];
  for (let step = 0; step < count; step++) {
    const inputs = engine.plan(unknown, rows, false, true);
    const known = inputs.writes.filter(({ tensor }) => tensor !== tokens);
    steps.push({ variables: inputs.variables, writes: known, copies, reads, end });
  }
  return steps;
}

/** Gives the steps' tokens one step at a time, each counted as it is given; at the end takes back what was not given. */
export function* giveSteps<T>(
  store: CacheStore,
  parts: readonly Part[],
  steps: readonly T[],
  signal: AbortSignal | undefined,
): Generator<T, void, undefined> {
  const sequences = parts.map(({ sequence }) => sequence.stored);
  try {
    for (const step of steps) {
      signal?.throwIfAborted();
      store.confirm(sequences.filter(({ isOpen }) => isOpen));
      yield step;
    }
  } finally {
    for (const sequence of sequences) store.takeBack(sequence);
  }
}

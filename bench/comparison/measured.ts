// What was measured of one work, as it is kept in bench/results/peers.json.

import type { Ready, WorkName } from "./contender.ts";

/** One entrant's figures, or why it has none. */
export interface MeasuredEntrant {
  readonly name: string;
  /** one a round, in the unit of the work */
  readonly values: readonly number[];
  readonly settings: Ready["settings"];
  /** what its results were held to, and how they did; "" where there is nothing to hold */
  readonly check: string;
  /** the share of one core that it used while it was others' turn; undefined where the system does not tell */
  readonly idleShare?: number;
  /** why it has no values */
  readonly reason?: string;
}

/** The machine and the versions of a measurement. */
export interface Circumstances {
  readonly date: string;
  readonly kedge: string;
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly threads: number;
  readonly rounds: number;
}

/** One work, measured in one run. */
export interface MeasuredWork {
  readonly work: WorkName;
  readonly circumstances: Circumstances;
  readonly entrants: readonly MeasuredEntrant[];
}

/** All works that have been measured, the latest of each. */
export type Measurements = Partial<Record<WorkName, MeasuredWork>>;

/** Takes new works in place of old ones. */
export function merged(old: Measurements, fresh: readonly MeasuredWork[]): Measurements {
  return { ...old, ...Object.fromEntries(fresh.map((one) => [one.work, one])) };
}

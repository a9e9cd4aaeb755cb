// Results of a kernel bench, as saved in JSON: a machine, the devices with their peaks, and a row for each implementation, format and
// call. Rates and shares are computed where they are shown.

import type { Clock, Peak, Spread } from "kedge/timing";

/** A device that was measured. */
export interface MeasuredDevice {
  /** as asked for: `wasm:2`, `webgpu` */
  readonly id: string;
  /** as it describes itself */
  readonly description: string;
  readonly peak: Peak;
}

/** One implementation in one call, or why it has no time. */
export interface KernelRow {
  /** id of its device */
  readonly device: string;
  readonly kernel: string;
  readonly implementation: string;
  readonly isRival: boolean;
  /** an implementation of kedge's with values of `--set`, which may be wrong */
  readonly isSwept?: boolean;
  /** of its matrices or caches */
  readonly format?: string;
  readonly list: string;
  readonly label: string;
  readonly size: string;
  readonly flops: number;
  readonly bytes: number;
  /** whether matrices came from memory rather than from a cache */
  readonly isStreamed: boolean;
  readonly clock?: Clock;
  readonly callsPerRun?: number;
  /** per call */
  readonly seconds?: Spread;
  readonly samples?: readonly number[];
  /** seconds per call that the clock cannot tell from none */
  readonly resolution?: number;
  /** largest distance from the reference; null where a result is not a number */
  readonly largestError?: number | null;
  /** as a share of what is allowed; null where nothing is, and it differs */
  readonly errorOfBound?: number | null;
  /** why it is not timed */
  readonly failure?: string;
  /** why the device runs nothing of this call: there is no implementation then, and `implementation` is "none" */
  readonly cannot?: string;
}

/** A device that could not be opened. */
export interface AbsentDevice {
  readonly id: string;
  readonly reason: string;
}

/** A whole bench. */
export interface KernelResults {
  readonly kedge: string;
  /** the commit that was measured, with "+changes" where files differed from it; absent outside a clone */
  readonly commit?: string;
  /** ISO date and time */
  readonly date: string;
  readonly machine: {
    /** processor, or what a browser says of itself */
    readonly name: string;
    readonly cores: number;
    /** Node or the browser */
    readonly host: string;
    /** gzipped script of a page that loads kedge, in bytes; where it was measured */
    readonly scriptGzipBytes?: number;
  };
  readonly devices: readonly MeasuredDevice[];
  /** devices that were asked for as well */
  readonly absent?: readonly AbsentDevice[];
  readonly rounds: number;
  readonly rows: readonly KernelRow[];
}

/** Reads what `--json` wrote. Throws an Error that names the file where it is something else. */
export function readResults(path: string, text: string): KernelResults {
  let found: Partial<KernelResults> | null = null;
  try {
    found = JSON.parse(text) as Partial<KernelResults> | null;
  } catch {
    // no JSON: refused below
  }
  if (Array.isArray(found?.rows) && Array.isArray(found.devices) && found.machine) return found as KernelResults;
  throw new Error(`${path}: this is no result of the kernel bench: use a file that --json wrote`);
}

/** Operations a second, bytes a second, and how much of what is possible that is. */
export interface Rates {
  readonly flopsPerSecond: number;
  readonly bytesPerSecond: number;
  /** time that the peaks allow, over the time taken; above 1 where a cache is faster than memory */
  readonly shareOfPeak?: number;
  /** which of the peaks is nearer */
  readonly limit?: "compute" | "memory";
  /** half the distance of fastest and slowest over the median */
  readonly spread: number;
}

/** True for a row whose calls are so short that the clock cannot tell their time from none. */
export function isTooFast({ seconds, resolution = 0 }: KernelRow): boolean {
  return seconds !== undefined && seconds.median <= resolution;
}

/** The rates of a row; undefined where it has no time. */
export function ratesOf(row: KernelRow, { peak }: Pick<MeasuredDevice, "peak">): Rates | undefined {
  const { seconds, flops, bytes } = row;
  if (!seconds || isTooFast(row)) return undefined;
  const { flopsPerSecond, bytesPerSecond } = peak;
  const rates = {
    flopsPerSecond: flops / seconds.median,
    bytesPerSecond: bytes / seconds.median,
    spread: halfRange(seconds) / seconds.median,
  };
  if (flopsPerSecond === undefined || bytesPerSecond === undefined) return rates;
  const [computing, moving] = [flops / flopsPerSecond, bytes / bytesPerSecond];
  return {
    ...rates,
    shareOfPeak: Math.max(computing, moving) / seconds.median,
    limit: computing > moving ? "compute" : "memory",
  };
}

/** Half the distance of the fastest and the slowest sample. */
export const halfRange = ({ least, most }: Spread): number => (most - least) / 2;
/** A row that stands alone is unsteady if its samples spread by more than this share of the median. */
const STEADY = 0.25;

/**
 * True for a row whose samples spread by more than it shows: by more than its distance from the fastest row of its group (for the
 * fastest itself, from the next), or by a quarter of its median where it stands alone.
 */
export function isWithinNoise(row: KernelRow, group: readonly KernelRow[]): boolean {
  const { seconds } = row;
  if (!seconds) return false;
  const others = group.flatMap((one) => (one !== row && one.seconds ? [one.seconds] : []));
  if (others.length === 0) return halfRange(seconds) > STEADY * seconds.median;
  const rival = others.reduce((best, one) => (one.median < best.median ? one : best));
  return Math.abs(rival.median - seconds.median) <= halfRange(rival) + halfRange(seconds);
}

/** Rows of one call and device side by side, the fastest first and those without a time last. */
export function groupsOf(rows: readonly KernelRow[]): KernelRow[][] {
  const groups = new Map<string, KernelRow[]>();
  for (const row of rows) {
    const key = [row.device, row.kernel, row.list, row.label, row.size, row.format].join("\n");
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  const time = ({ seconds }: KernelRow) => seconds?.median ?? Number.POSITIVE_INFINITY;
  return [...groups.values()].map((group) =>
    group.sort((a, b) => (time(a) < time(b) ? -1 : time(a) > time(b) ? 1 : 0)),
  );
}

/** The fastest of one call and format on each device. */
export interface SideBySide {
  /** a row of the call, whichever device's */
  readonly call: KernelRow;
  /** one entry for each device, in order */
  readonly best: readonly {
    /** fastest row; where there is no time, a row that says why; undefined where it was not measured */
    readonly row: KernelRow | undefined;
    /** times as fast as the first device that has a time */
    readonly ratio?: number;
  }[];
}

/** The results of all devices for each call, side by side. */
export function sideBySide(rows: readonly KernelRow[], devices: readonly Pick<MeasuredDevice, "id">[]): SideBySide[] {
  const calls = new Map<string, KernelRow[]>();
  for (const row of rows) {
    const key = [row.kernel, row.list, row.label, row.size, row.format].join("\n");
    calls.set(key, [...(calls.get(key) ?? []), row]);
  }
  return [...calls.values()].map((all) => {
    const best = devices.map(({ id }) => {
      const [group = []] = groupsOf(all.filter(({ device }) => device === id));
      return group[0];
    });
    const base = best.find((row) => row?.seconds)?.seconds?.median;
    return {
      call: all[0]!,
      best: best.map((row) => {
        const median = row?.seconds?.median;
        return base === undefined || !median ? { row } : { row, ratio: base / median };
      }),
    };
  });
}

// Results saved in bench/results, and whether new ones are worse. A file belongs to a kind of machine: its processor, cores and
// devices as they describe themselves. Rows of the same device, implementation, format and call are compared.

import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeWholeFile } from "kedge/loaders";
import type { Spread } from "kedge/timing";
import { halfRange, isTooFast, type KernelResults, type KernelRow } from "./results.ts";

/** A row that takes longer than it did. */
export interface Regression {
  readonly row: KernelRow;
  readonly before: Spread;
  readonly after: Spread;
  /** new median over old */
  readonly ratio: number;
  /** ratio up to which it would have been noise */
  readonly allowed: number;
}

/** What a comparison found. */
export interface Comparison {
  readonly compared: number;
  readonly regressions: readonly Regression[];
  /** rows that had a time, and have none now */
  readonly lost: readonly KernelRow[];
}

/** A median may move by this much between two runs of one build, even if the samples of one run agree more closely. */
const LEAST_NOISE = 0.1;

const nameOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");

/** What makes two machines the same kind, for one of their devices. */
export function machineKind({ machine }: Pick<KernelResults, "machine">, description: string): string {
  return `${machine.name}, ${machine.cores} cores: ${description}`;
}

/** The file that results are kept in. */
export function fileNameOf({ machine, devices, kedge, date }: KernelResults): string {
  const ids = devices.map(({ id, description }) =>
    id === "webgpu" ? `webgpu-${nameOf(description).slice(0, 40)}` : id,
  );
  const parts = ["kernels", nameOf(machine.name), nameOf(ids.join("-")), kedge, date.slice(0, 10)];
  return `${parts.join("_")}.json`;
}

/** What a row is of, on which device. */
function placeOf(row: KernelRow): string {
  return `${row.device} ${keyOf(row)}`;
}

/** Saves results; adds them to a file of the same machine, devices, version and day that holds other rows. Returns the path. */
export function save(folder: string, results: KernelResults): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, fileNameOf(results));
  const before = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as KernelResults).rows : [];
  const known = new Set(results.rows.map(placeOf));
  const rows = [...before.filter((row) => !known.has(placeOf(row))), ...results.rows];
  writeWholeFile(path, `${JSON.stringify({ ...results, rows })}\n`);
  return path;
}

/** All results kept in a folder, the newest first. */
export function kept(folder: string): KernelResults[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => /^kernels_.*\.json$/.test(file))
    .map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as KernelResults)
    .sort((a, b) => (a.date < b.date ? 1 : -1));
}

const keyOf = ({ kernel, implementation, format, list, label, size, isStreamed }: KernelRow): string =>
  JSON.stringify([kernel, implementation, format, list, label, size, isStreamed]);

/** How results are compared. */
export interface ComparisonOptions {
  /** devices are the same by their id alone, whatever the machine; false by default */
  readonly anyMachine?: boolean;
}

/** The newest earlier row of the same kind for each that can be compared. */
function earlierRows(
  results: KernelResults,
  earlier: readonly KernelResults[],
  { anyMachine = false }: ComparisonOptions,
): Map<KernelRow, KernelRow> {
  const found = new Map<KernelRow, KernelRow>();
  for (const { id, description } of results.devices) {
    const kind = machineKind(results, description);
    const known = new Map<string, KernelRow>();
    for (const one of earlier) {
      const ids = one.devices
        .filter((device) => (anyMachine ? device.id === id : machineKind(one, device.description) === kind))
        .map((device) => device.id);
      for (const row of one.rows) {
        if (ids.includes(row.device) && row.seconds && !known.has(keyOf(row))) known.set(keyOf(row), row);
      }
    }
    for (const row of results.rows) {
      const before = row.device === id ? known.get(keyOf(row)) : undefined;
      if (before) found.set(row, before);
    }
  }
  return found;
}

/** By how much of itself a median may move from one of two runs to the other: the noise of both, a tenth at least. */
function noiseOf(before: Spread, after: Spread): number {
  return Math.max(LEAST_NOISE, halfRange(before) / before.median + halfRange(after) / after.median);
}

/** A row with its time before and after. */
export interface Ratio {
  readonly row: KernelRow;
  readonly before: Spread;
  readonly after: Spread;
  /** new median over old */
  readonly ratio: number;
  /** the medians differ by no more than the noise of both runs */
  readonly isNoise: boolean;
}

/** Every row that two results have both, whatever their machines; rows that are too fast to time are left out. */
export function ratiosOf(results: KernelResults, earlier: KernelResults): Ratio[] {
  return [...earlierRows(results, [earlier], { anyMachine: true })].flatMap(([row, other]): Ratio[] => {
    const [before, after] = [other.seconds, row.seconds];
    if (!before || !after || isTooFast(row) || isTooFast(other)) return [];
    const ratio = after.median / before.median;
    return [{ row, before, after, ratio, isNoise: Math.abs(ratio - 1) <= noiseOf(before, after) }];
  });
}

/**
 * Compares results with earlier ones, the newest first. A row is worse when its fastest sample is slower than the slowest
 * before, and its median by more than the noise of both runs, a tenth at least. Null where none is of this kind of machine.
 */
export function compareResults(
  results: KernelResults,
  earlier: readonly KernelResults[],
  options: ComparisonOptions = {},
): Comparison | null {
  const pairs = [...earlierRows(results, earlier, options)].filter(([row]) => !row.isRival);
  if (pairs.length === 0) return null;
  const regressions = pairs.flatMap(([row, { seconds: before }]): Regression[] => {
    const after = row.seconds;
    if (!after || !before || before.median <= 0) return [];
    const ratio = after.median / before.median;
    const allowed = 1 + noiseOf(before, after);
    return after.least > before.most && ratio > allowed ? [{ row, before, after, ratio, allowed }] : [];
  });
  return {
    compared: pairs.length,
    regressions: regressions.sort((a, b) => b.ratio - a.ratio),
    lost: pairs.filter(([row]) => !row.seconds).map(([row]) => row),
  };
}

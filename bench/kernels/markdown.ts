// Results as a table in Markdown: the implementations for each call, the fastest first.

import { errorText, figuresOf, gigaText, NOISE_NOTE, withoutRates } from "./text.ts";
import {
  groupsOf,
  isTooFast,
  isWithinNoise,
  ratesOf,
  type KernelResults,
  type KernelRow,
  type MeasuredDevice,
} from "./results.ts";

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

const HEAD = ["call", "format", "implementation", "time", "±", "clock", "GFLOP/s", "GB/s", "of peak", "largest error"];

const CLOCK = HEAD.indexOf("clock");
/** Columns between the name and the largest error. */
const FIGURES = HEAD.length - 4;

const empty = (count: number) => Array.from({ length: count }, () => "");

function cellsOf(row: KernelRow, device: MeasuredDevice, group: readonly KernelRow[]): string[] {
  const isFirst = row === group[0];
  const call = isFirst ? `${row.kernel}, ${row.label} ${row.size}${row.isStreamed ? ", cold" : ""}` : "";
  const name = `${row.implementation}${row.isRival ? " (rival)" : ""}`;
  const rates = ratesOf(row, device);
  if (row.cannot !== undefined) return [call, row.format ?? "", `cannot: ${row.cannot}`, ...empty(FIGURES + 1)];
  if (!rates) {
    const why = withoutRates(row);
    const marked = isTooFast(row) ? why : why.replace(/^wrong/, "**wrong**");
    return [call, row.format ?? "", name, marked, ...empty(FIGURES - 1), errorText(row)];
  }
  return [call, row.format ?? "", name, ...figuresOf(row, rates, isWithinNoise(row, group))];
}

/** One device: what it is and can do, then its rows. */
function deviceSection(device: MeasuredDevice, rows: readonly KernelRow[]): string[] {
  const { flopsPerSecond, bytesPerSecond } = device.peak;
  const peaks = [
    flopsPerSecond === undefined ? "" : `${gigaText(flopsPerSecond)} GFLOP/s`,
    bytesPerSecond === undefined ? "" : `${gigaText(bytesPerSecond)} GB/s`,
  ].filter((text) => text !== "");
  const clocks = [...new Set(rows.flatMap(({ clock }) => (clock ? [clock] : [])))];
  const timed = clocks.map((clock) =>
    clock === "device" ? "timestamps of the device" : "wall time around a read-back",
  );
  const notes = [
    peaks.length > 0 ? `At most ${peaks.join(" and ")}, measured.` : "",
    timed.length > 0 ? `Clock: ${timed.join("; ")}.` : "",
  ].filter((text) => text !== "");
  return [
    `## ${device.id}`,
    "",
    [`${device.description}.`, ...notes].join(" "),
    "",
    line(HEAD),
    line(HEAD.map((_, column) => (column < 3 || column === CLOCK || column === HEAD.length - 1 ? "---" : "---:"))),
    ...groupsOf(rows).flatMap((group) => group.map((row) => line(cellsOf(row, device, group)))),
    "",
  ];
}

/** The whole bench. */
export function markdownOf({ kedge, commit, date, machine, devices, rounds, rows }: KernelResults): string {
  const script = machine.scriptGzipBytes;
  const lines = [
    "# Kernels",
    "",
    `kedge ${kedge}${commit ? ` (${commit})` : ""}, ${date.slice(0, 10)}; ${machine.name}, ${machine.cores} cores; ${machine.host}. ` +
      `${rounds} samples of each, taking turns: the median, and half the distance of fastest and slowest. ` +
      `"cold": weights come from memory, not from a cache. A share of the peak above 100 % is a cache's doing. ${NOISE_NOTE}`,
    ...(script === undefined
      ? []
      : ["", `A page's script is ${(script / 1000).toFixed(1)} kB gzipped, without WebAssembly.`]),
    "",
    ...devices.flatMap((device) =>
      deviceSection(
        device,
        rows.filter(({ device: id }) => id === device.id),
      ),
    ),
  ];
  return lines.join("\n");
}

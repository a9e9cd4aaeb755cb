// Results as a table in Markdown: the implementations for each call, the fastest first.

import { callText, errorText, FIGURES, figuresOf, gigaText, nameText, NOISE_NOTE, withoutRates } from "./text.ts";
import {
  groupsOf,
  isWithinNoise,
  ratesOf,
  type KernelResults,
  type KernelRow,
  type MeasuredDevice,
} from "./results.ts";

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

const HEAD = ["call", "format", "implementation", ...FIGURES];
/** Titles of columns of text; the others hold numbers. */
const TEXTS: readonly string[] = ["call", "format", "implementation", "clock", "largest error"];

const empty = (count: number) => Array.from({ length: count }, () => "");

function cellsOf(row: KernelRow, device: MeasuredDevice, group: readonly KernelRow[]): string[] {
  const begin = [row === group[0] ? callText(row) : "", row.format ?? ""];
  if (row.cannot !== undefined) return [...begin, `cannot: ${row.cannot}`, ...empty(FIGURES.length)];
  const rates = ratesOf(row, device);
  if (rates) return [...begin, nameText(row), ...figuresOf(row, rates, isWithinNoise(row, group))];
  const why = withoutRates(row).replace(/^wrong/, "**wrong**");
  return [...begin, nameText(row), why, ...empty(FIGURES.length - 2), errorText(row)];
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
    line(HEAD.map((title) => (TEXTS.includes(title) ? "---" : "---:"))),
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

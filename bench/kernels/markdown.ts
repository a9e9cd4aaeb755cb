// Results as a table in Markdown: the implementations for each call, the fastest first.

import { errorText, figuresOf, gigaText } from "./text.ts";
import { groupsOf, ratesOf, type KernelResults, type KernelRow, type MeasuredDevice } from "./results.ts";

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

const HEAD = ["call", "format", "implementation", "time", "±", "GFLOP/s", "GB/s", "of peak", "largest error"];

function cellsOf(row: KernelRow, device: MeasuredDevice, isFirst: boolean): string[] {
  const call = isFirst ? `${row.kernel}, ${row.label} ${row.size}${row.isStreamed ? ", cold" : ""}` : "";
  const name = `${row.implementation}${row.isRival ? " (rival)" : ""}`;
  const rates = ratesOf(row, device);
  if (row.cannot !== undefined) return [call, row.format ?? "", `cannot: ${row.cannot}`, "", "", "", "", "", ""];
  if (!rates)
    return [call, row.format ?? "", name, `**wrong**: ${row.failure ?? "no time"}`, "", "", "", "", errorText(row)];
  return [call, row.format ?? "", name, ...figuresOf(row, rates)];
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
    line(HEAD.map((_, column) => (column < 3 || column === HEAD.length - 1 ? "---" : "---:"))),
    ...groupsOf(rows).flatMap((group) => group.map((row, i) => line(cellsOf(row, device, i === 0)))),
    "",
  ];
}

/** The whole bench. */
export function markdownOf({ kedge, date, machine, devices, rounds, rows }: KernelResults): string {
  const script = machine.scriptGzipBytes;
  const lines = [
    "# Kernels",
    "",
    `kedge ${kedge}, ${date.slice(0, 10)}; ${machine.name}, ${machine.cores} cores; ${machine.host}. ` +
      `${rounds} samples of each, taking turns: the median, and half the distance of fastest and slowest. ` +
      `"cold": weights come from memory, not from a cache. A share of the peak above 100 % is a cache's doing.`,
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

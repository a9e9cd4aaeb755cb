// Results as comma-separated values (RFC 4180): one line a row, seconds and bytes as numbers, for a spreadsheet or a data frame.

import { isTooFast, ratesOf, type KernelResults, type KernelRow, type MeasuredDevice } from "./results.ts";

type Cell = string | number | undefined;

const COLUMNS: Readonly<Record<string, (row: KernelRow, device: MeasuredDevice | undefined) => Cell>> = {
  device: ({ device }) => device,
  kernel: ({ kernel }) => kernel,
  implementation: ({ implementation }) => implementation,
  rival: ({ isRival }) => String(isRival),
  format: ({ format }) => format,
  shapes: ({ list }) => list,
  call: ({ label }) => label,
  size: ({ size }) => size,
  cold: ({ isStreamed }) => String(isStreamed),
  clock: ({ clock }) => clock,
  calls_per_sample: ({ callsPerRun }) => callsPerRun,
  samples: ({ samples }) => samples?.length,
  median_seconds: ({ seconds }) => seconds?.median,
  least_seconds: ({ seconds }) => seconds?.least,
  most_seconds: ({ seconds }) => seconds?.most,
  resolution_seconds: ({ resolution }) => resolution,
  flops: ({ flops }) => flops,
  bytes: ({ bytes }) => bytes,
  flops_per_second: (row, device) => device && ratesOf(row, device)?.flopsPerSecond,
  bytes_per_second: (row, device) => device && ratesOf(row, device)?.bytesPerSecond,
  share_of_peak: (row, device) => device && ratesOf(row, device)?.shareOfPeak,
  largest_error: ({ largestError }) => (largestError === null ? "NaN" : largestError),
  error_of_bound: ({ errorOfBound }) => (errorOfBound === null ? "Infinity" : errorOfBound),
  state: (row) =>
    row.cannot !== undefined
      ? `cannot: ${row.cannot}`
      : row.failure !== undefined
        ? `wrong: ${row.failure}`
        : isTooFast(row)
          ? "too fast to time"
          : "timed",
};

/** A cell, in quotes where its text has a comma, a quote or a line break. */
function textOf(cell: Cell): string {
  const text = String(cell ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The whole bench: a heading, and a line for each row. */
export function csvOf({ devices, rows }: Pick<KernelResults, "devices" | "rows">): string {
  const lines = rows.map((row) => {
    const device = devices.find(({ id }) => id === row.device);
    return Object.values(COLUMNS).map((column) => textOf(column(row, device)));
  });
  return [Object.keys(COLUMNS), ...lines].map((cells) => `${cells.join(",")}\r\n`).join("");
}

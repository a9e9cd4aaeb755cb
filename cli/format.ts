// Numbers for people: bytes in powers of ten, counts with separators, rates and times with as many digits as mean something.

import type { Interval } from "kedge/anchoring";

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** Such as `9.37 MB`; powers of ten. */
export function bytes(count: number): string {
  let unit = 0;
  let value = count;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? grouped(value) : digits(value)} ${UNITS[unit]}`;
}

/** Such as `4,719,104`. */
export function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/** An interval: `0.972..0.999`. */
export function interval({ low, high }: Interval): string {
  return `${low.toFixed(3)}..${high.toFixed(3)}`;
}

/** Such as `26 tokens`, `1 token`. */
export function plural(value: number, noun: string): string {
  return `${grouped(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Such as `4.72 M`, `135 M`, `7.24 B`; below 10,000 the number itself. */
export function short(value: number): string {
  if (value < 1e4) return grouped(value);
  const [scale, letter] = value < 999_500 ? [1e3, "k"] : value < 999.5e6 ? [1e6, "M"] : [1e9, "B"];
  return `${digits(value / scale)} ${letter}`;
}

/** A number per second: `2,310`, `85.4`; a dash where nothing was measured. */
export function rate(perSecond: number): string {
  return perSecond > 0 ? digits(perSecond) : "-";
}

/** Such as `12 ms`, `1.48 s`, `2 min 5 s`. */
export function duration(seconds: number): string {
  if (seconds < 0.9995) return `${digits(Math.max(0, seconds * 1000))} ms`;
  if (seconds < 99.95) return `${digits(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** Three significant digits, never an exponent: `2,310`, `85.4`, `0.0123`. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const magnitude = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  return value.toLocaleString("en-US", { maximumFractionDigits: Math.min(6, Math.max(0, 2 - magnitude)) });
}

/** A difference or a bound: `3.1e-6`. */
export function small(value: number): string {
  return value === 0 || !Number.isFinite(value) ? String(value) : value.toExponential(1);
}

/** Rows as columns as wide as their widest cell; columns in `right` are flush right. Ends of lines are trimmed. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  const pad = (cell: string, i: number) => (right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!));
  return rows.map((row) => row.map(pad).join("  ").trimEnd());
}

// Formats numbers of a kernel bench for people.

import { isTooFast, type KernelRow, type Rates } from "./results.ts";

/** A time in the unit that suits it. */
export function timeText(seconds: number): string {
  const [unit, factor] =
    seconds < 1e-6 ? ["ns", 1e9] : seconds < 1e-3 ? ["µs", 1e6] : seconds < 1 ? ["ms", 1e3] : ["s", 1];
  const value = seconds * (factor as number);
  return `${value < 100 ? value.toPrecision(3) : value.toFixed(0)} ${unit as string}`;
}

/** Billions of something a second. */
export function gigaText(perSecond: number): string {
  const giga = perSecond / 1e9;
  return giga.toFixed(giga < 10 ? 2 : giga < 100 ? 1 : 0);
}

/** A share in percent; null is "not a number", or beyond any bound. */
export function percentText(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

/** The largest error, and what share of the allowed that is. */
export function errorText({ largestError, errorOfBound }: KernelRow): string {
  if (largestError === undefined) return "";
  if (largestError === null) return "not a number";
  if (largestError === 0) return "0";
  const share =
    errorOfBound === null
      ? "none allowed"
      : errorOfBound! > 1
        ? `${errorOfBound!.toPrecision(2)} times the bound`
        : `${percentText(errorOfBound!)} of bound`;
  return `${largestError.toExponential(1)} (${share})`;
}

/** Why a row has no rates. */
export function withoutRates(row: KernelRow): string {
  if (isTooFast(row)) return `too fast to time: under ${timeText(row.resolution!)}`;
  return `wrong: ${row.failure ?? "no time"}`;
}

/** Titles of the columns of {@link figuresOf}. */
export const FIGURES: readonly string[] = ["time", "±", "clock", "GFLOP/s", "GB/s", "of peak", "largest error"];

/** The call of a row: kernel, label and size. */
export function callText({ kernel, label, size, isStreamed }: KernelRow): string {
  return `${kernel}, ${label} ${size}${isStreamed ? ", cold" : ""}`;
}

/** The implementation of a row, and whether it is a rival. */
export function nameText({ implementation, isRival }: KernelRow): string {
  return `${implementation}${isRival ? " (rival)" : ""}`;
}

/** What the mark of {@link figuresOf} says. */
export const NOISE_NOTE =
  "≈: the samples spread by more than the distance to the fastest of the call, or by a quarter of the time; the order is a matter of chance.";

/** A row's figures in the order of {@link FIGURES}. */
export function figuresOf(row: KernelRow, rates: Rates, isNoise: boolean): string[] {
  return [
    `${isNoise ? "≈ " : ""}${timeText(row.seconds!.median)}`,
    percentText(rates.spread),
    row.clock ?? "",
    row.flops > 0 ? gigaText(rates.flopsPerSecond) : "",
    gigaText(rates.bytesPerSecond),
    rates.shareOfPeak === undefined ? "" : `${percentText(rates.shareOfPeak)} ${rates.limit}`,
    errorText(row),
  ];
}

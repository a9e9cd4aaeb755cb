// Numbers of a bench to a table for people: medians with their spread, and memory beside its bound.

import { spreadOf, type Spread } from "kedge/timing";
import type { Loaded, Round } from "./worker.ts";

/** What was measured of one model on one device. */
export interface Measured {
  readonly model: string;
  readonly device: string;
  readonly loaded: Loaded;
  readonly rounds: readonly Round[];
}

/** Most bytes resident while a model loads and runs: its weights and three tenths, and 150 MB for everything else. */
export function memoryBound(weightBytes: number): number {
  return weightBytes * 1.3 + 150e6;
}

/** A measurement in numbers, for `--json`. */
export function summary({ model, device, loaded, rounds }: Measured) {
  const { seconds, weightBytes, promptTokens, tokens } = loaded;
  const decode = spreadOf(rounds.map(({ tokensPerSecond }) => tokensPerSecond));
  return {
    model,
    device,
    description: loaded.device,
    promptTokens,
    tokens,
    prefillTokensPerSecond: spreadOf(rounds.map(({ promptTokensPerSecond }) => promptTokensPerSecond)),
    decodeTokensPerSecond: decode,
    /** of weights, each read once a token */
    decodeGigabytesPerSecond: (decode.median * weightBytes) / 1e9,
    loadSeconds: seconds,
    weightBytes,
    loadPeakBytes: loaded.peakBytes,
    peakBytes: Math.max(loaded.peakBytes, ...rounds.map(({ peakBytes }) => peakBytes)),
    boundBytes: memoryBound(weightBytes),
  };
}

const rate = ({ median, least, most }: Spread): string => {
  const digits = median < 10 ? 2 : median < 100 ? 1 : 0;
  return `${median.toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
};
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)}`;

/** Lines of a table; columns are as wide as they need to be. */
export function table(measured: readonly Measured[]): string[] {
  const head = ["model", "device", "prefill tokens/s", "decode tokens/s", "GB/s", "load s", "weights MB"];
  const lines = [
    [...head, "peak RSS MB: loading", "in all", "bound"],
    ...measured.map((one) => {
      const sum = summary(one);
      return [
        sum.model,
        sum.device,
        rate(sum.prefillTokensPerSecond),
        rate(sum.decodeTokensPerSecond),
        sum.decodeGigabytesPerSecond.toFixed(1),
        sum.loadSeconds.toFixed(2),
        (sum.weightBytes / 1e6).toFixed(1),
        megabytes(sum.loadPeakBytes),
        megabytes(sum.peakBytes),
        `${megabytes(sum.boundBytes)}${sum.peakBytes <= sum.boundBytes ? "" : " MISSED"}`,
      ];
    }),
  ];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines.map((line) =>
    line
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
}

// Selects an implementation from samples of times. Times are noisy, so the preset (the device's own choice) is replaced only by an
// implementation that is faster by more than the spread of the samples of either.

import { quantile } from "../attention/summary.ts";

/** Samples of one implementation, seconds per call. */
export interface Sampled {
  readonly implementation: string;
  readonly samples: readonly number[];
}

/** The selected implementation and the preset; times are medians in seconds per call. */
export interface Selected {
  readonly implementation: string;
  readonly seconds: number;
  readonly preset: string;
  readonly presetSeconds: number;
}

/** The least gain, as a share of the preset's time, that is worth a change. */
const LEAST_GAIN = 0.03;

/** The median, and how far the middle half of the samples reaches: a few runs that were disturbed do not count. */
function summarize(samples: readonly number[]): { readonly median: number; readonly spread: number } {
  if (samples.length === 0) throw new RangeError("there are 0 samples to select by");
  const sorted = [...samples].sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), spread: quantile(sorted, 0.75) - quantile(sorted, 0.25) };
}

/** The fastest of those that beat the preset beyond doubt, or the preset. Throws a RangeError where the preset has no samples. */
export function select(preset: string, sampled: readonly Sampled[]): Selected {
  const own = sampled.find(({ implementation }) => implementation === preset);
  if (!own) throw new RangeError(`${preset} is what the others are compared with, and has 0 samples`);
  const base = summarize(own.samples);
  let best = { implementation: preset, seconds: base.median };
  for (const { implementation, samples } of sampled) {
    const { median, spread } = summarize(samples);
    const isBeyondDoubt = median + Math.max(spread, base.spread) < base.median * (1 - LEAST_GAIN);
    if (isBeyondDoubt && median < best.seconds) best = { implementation, seconds: median };
  }
  return { ...best, preset, presetSeconds: base.median };
}

/** A summary of many numbers. */
export interface Summary {
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly quartiles: readonly [lower: number, median: number, upper: number];
  readonly max: number;
}

/** The summary of the numbers that are not NaN; null where there is none. */
export function summarize(values: ArrayLike<number>): Summary | null {
  const sorted = Float64Array.from(values)
    .filter((value) => !Number.isNaN(value))
    .sort();
  const count = sorted.length;
  if (count === 0) return null;
  return {
    count,
    mean: sorted.reduce((sum, value) => sum + value, 0) / count,
    min: sorted[0]!,
    quartiles: [quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75)],
    max: sorted[count - 1]!,
  };
}

/**
 * The q-quantile (0..1) of numbers in ascending order, linear between neighbors (Hyndman and Fan's type 7, NumPy's default).
 * Throws a RangeError for no numbers or a q outside 0..1.
 */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0 || !(q >= 0 && q <= 1)) {
    throw new RangeError(`a quantile needs at least 1 number and 0 <= q <= 1; it has ${sorted.length} and q is ${q}`);
  }
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (high - low) * (place - below);
}

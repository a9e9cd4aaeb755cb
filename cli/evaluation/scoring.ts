// Statistics of a set of outcomes: unbiased pass@k, its confidence interval, and whether two systems differ.
//
// All random numbers come from a seed, so that a score can be made again from its results file.

/** The outcome of one task's samples. */
export interface TaskTally {
  /** how many completions were judged, 1 or more */
  readonly samples: number;
  /** how many of them passed: 0 .. samples */
  readonly passed: number;
}

/**
 * The chance that at least one of k samples passes, estimated from n samples of which c passed: 1 - C(n-c, k) / C(n, k),
 * the unbiased estimator of Chen et al., arXiv 2107.03374, as a product, which neither overflows nor cancels.
 *
 * @throws RangeError unless 1 <= k <= n and 0 <= c <= n, all whole
 */
export function passAtK(n: number, c: number, k: number): number {
  if (![n, c, k].every(Number.isInteger) || c < 0 || c > n || k < 1 || k > n)
    throw new RangeError(
      `pass@${k} of ${n} samples with ${c} passed: wanted 1 <= k <= samples and 0 <= passed <= samples`,
    );
  if (n - c < k) return 1;
  let allFail = 1;
  for (let i = n - c + 1; i <= n; i++) allFail *= 1 - k / i;
  return 1 - allFail;
}

/** pass@k over tasks: the mean of the tasks' estimates. Tasks may have different numbers of samples, all of k or more. */
export function meanPassAtK(tasks: readonly TaskTally[], k: number): number {
  if (tasks.length === 0) throw new RangeError("pass@k of 0 tasks: wanted 1 or more");
  return tasks.reduce((sum, { samples, passed }) => sum + passAtK(samples, passed, k), 0) / tasks.length;
}

/** An interval: low <= high. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** How {@link bootstrapInterval} draws. */
export interface BootstrapOptions {
  /** above 0 and below 1; 0.95 by default */
  readonly confidence?: number | undefined;
  /** how many times the set is drawn anew; 10000 by default */
  readonly resamples?: number | undefined;
  /** a whole number; 0 by default */
  readonly seed?: number | undefined;
}

/**
 * A confidence interval of the mean by the percentile bootstrap: the set is drawn anew with replacement many times, and the
 * interval holds the middle of the means. Resampling tasks says how far the score would move on other tasks of the kind.
 */
export function bootstrapInterval(values: readonly number[], options: BootstrapOptions = {}): Interval {
  const { confidence = 0.95, resamples = 10_000, seed = 0 } = options;
  if (values.length === 0) throw new RangeError("an interval of 0 values: wanted 1 or more");
  if (!(confidence > 0 && confidence < 1)) throw new RangeError(`confidence is ${confidence}, wanted between 0 and 1`);
  if (!Number.isInteger(resamples) || resamples < 1)
    throw new RangeError(`resamples is ${resamples}, wanted 1 or more`);
  const random = createRandom(seed);
  const means = new Float64Array(resamples);
  for (let round = 0; round < resamples; round++) {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[Math.floor(random() * values.length)] ?? 0;
    means[round] = sum / values.length;
  }
  means.sort();
  const tail = (1 - confidence) / 2;
  return { low: quantile(means, tail), high: quantile(means, 1 - tail) };
}

/** Between order statistics, linearly. */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)] ?? 0, sorted[Math.ceil(at)] ?? 0];
  return below + (above - below) * (at - Math.floor(at));
}

/** The result of McNemar's test of two systems on the same tasks. */
export interface PairedTest {
  /** tasks that only the first passes */
  readonly onlyFirst: number;
  /** tasks that only the second passes */
  readonly onlySecond: number;
  /** two-sided: the chance of a split at least as uneven if both were equally good */
  readonly pValue: number;
}

/**
 * McNemar's test, exact: of the tasks on which two systems differ each is a toss of a fair coin if they are equally good.
 *
 * @param first,second whether each task was passed, in the same order
 * @throws RangeError if the lengths differ
 */
export function mcNemar(first: readonly boolean[], second: readonly boolean[]): PairedTest {
  if (first.length !== second.length)
    throw new RangeError(
      `the first system has ${first.length} tasks and the second ${second.length}: wanted the same ones`,
    );
  const onlyFirst = first.filter((passed, i) => passed && second[i] === false).length;
  const onlySecond = first.filter((passed, i) => !passed && second[i] === true).length;
  const tosses = onlyFirst + onlySecond;
  const fewer = Math.min(onlyFirst, onlySecond);
  let logTerm = -tosses * Math.LN2; // log of C(tosses, i) / 2^tosses
  let tail = 0;
  for (let i = 0; i <= fewer; i++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((tosses - i) / (i + 1));
  }
  return { onlyFirst, onlySecond, pValue: Math.min(1, 2 * tail) };
}

/** Numbers in [0, 1) from a seed: the splitmix32 generator, enough to draw tasks with. */
function createRandom(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
}

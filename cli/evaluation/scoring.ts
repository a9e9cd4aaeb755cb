// Statistics of a set of outcomes: unbiased pass@k, and whether two systems differ. Intervals are `wilsonInterval` of kedge.

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

/** A chance as it is usually given: `p < 0.001`, `p = 0.143`. */
export function pText(pValue: number): string {
  return pValue < 0.001 ? "p < 0.001" : `p = ${pValue.toFixed(3)}`;
}

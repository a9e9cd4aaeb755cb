// Confidence intervals of rates. All are Wilson's score interval, which is right for few tasks and near 0 and 1, where a standard error
// and a bootstrap are 0: of 8 passes in 8 tasks it says 0.676 to 1, not 1 to 1.

/** An interval: low <= high. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** The quantile of the normal distribution that leaves 2.5 % on each side. */
const Z = 1.959963984540054;

/**
 * The 95 % interval of a rate of which `passed` of `tasks` trials were seen (Wilson, JASA 22 (1927) 209).
 *
 * @param passed 0 .. tasks; of tasks with several samples each the sum of their shares, which makes the interval rather too wide
 * @throws RangeError unless 0 <= passed <= tasks and tasks is a whole number of 1 or more
 */
export function wilsonInterval(passed: number, tasks: number): Interval {
  if (!Number.isSafeInteger(tasks) || tasks < 1 || !(passed >= 0 && passed <= tasks)) {
    throw new RangeError(
      `an interval of ${passed} passes in ${tasks} tasks: wanted 0 <= passes <= tasks, 1 task or more`,
    );
  }
  const rate = passed / tasks;
  const square = Z ** 2 / tasks;
  const center = (rate + square / 2) / (1 + square);
  const half = (Z * Math.sqrt((rate * (1 - rate)) / tasks + square / (4 * tasks))) / (1 + square);
  // at the ends it is exact, whatever rounding does
  return { low: passed === 0 ? 0 : center - half, high: passed === tasks ? 1 : center + half };
}

/**
 * The 95 % interval of the difference of two rates, first - second, made of their Wilson intervals (Newcombe, Statistics in Medicine 17 (1998)
 * 873, method 10). It takes them for independent: where both ran the same tasks it is rather too wide.
 */
export function differenceInterval(
  first: { readonly rate: number; readonly interval: Interval },
  second: { readonly rate: number; readonly interval: Interval },
): Interval {
  const difference = first.rate - second.rate;
  const below = Math.hypot(first.rate - first.interval.low, second.interval.high - second.rate);
  const above = Math.hypot(first.interval.high - first.rate, second.rate - second.interval.low);
  return { low: Math.max(-1, difference - below), high: Math.min(1, difference + above) };
}

// Finds the strength with the most passes on a share of the tasks: a coarse grid first, then bisection around the best. The remaining
// tasks give the score to report.
//
// Pass counts of a few dozen tasks are noisy, and a search that trusts each of them follows the noise. So a strength is judged by a
// straight line fitted through its neighborhood (three coarse steps to each side, nearer points counting more), and the report
// says how large the noise is. The search is a function of the scores alone: given the scores of an interrupted search, it continues where that stopped.

import { checkOptions, type OptionNames } from "../options.ts";
import { differenceInterval, wilsonInterval, type Interval } from "./interval.ts";

/** Passes at one strength. */
export interface TuneScore {
  readonly strength: number;
  /** tasks passed, or another score that adds up over tasks: 0 .. tasks */
  readonly passed: number;
}

/** A point of the curve. */
export interface TunePoint extends TuneScore {
  /** passed / tasks */
  readonly rate: number;
  /** rate as judged from the neighborhood */
  readonly smoothed: number;
}

/** All that an interrupted search needs to go on: plain JSON. */
export interface TuneState {
  readonly version: 1;
  readonly settings: TuneSettings;
  /** on the tuning tasks, in the order in which they were scored */
  readonly scores: readonly TuneScore[];
  /** on the other tasks */
  readonly held: readonly TuneScore[];
}

/** The settings that a search depends on. */
export interface TuneSettings {
  readonly tasks: number;
  readonly share: number;
  readonly seed: number;
  readonly low: number;
  readonly high: number;
  readonly step: number;
  readonly resolution: number;
}

/** Options of {@link tuneStrength}. */
export interface TuneOptions {
  /** how many tasks there are */
  readonly tasks: number;
  /**
   * Runs these tasks at a strength and resolves with how many passed: 0 .. taskIndices.length. It must not depend on what ran
   * before. Strength 1 is the plain model.
   */
  readonly score: (strength: number, taskIndices: readonly number[], signal?: AbortSignal) => Promise<number>;
  /** share of the tasks to tune on, above 0 and below 1; 0.18 by default (the paper: 15-20 %) */
  readonly share?: number | undefined;
  /** which tasks those are: a whole number; 0 by default */
  readonly seed?: number | undefined;
  /** the coarse grid; 1 to 1.8 in steps of 0.1 by default */
  readonly low?: number | undefined;
  readonly high?: number | undefined;
  readonly step?: number | undefined;
  /** the finest step of the refinement; a quarter of `step` by default */
  readonly resolution?: number | undefined;
  /** of an interrupted search with the same settings */
  readonly state?: TuneState | undefined;
  /** called after each scoring, with the state to keep */
  readonly onScore?: ((state: TuneState) => void | Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const TUNE_OPTIONS: OptionNames<TuneOptions> = {
  tasks: true,
  score: true,
  share: true,
  seed: true,
  low: true,
  high: true,
  step: true,
  resolution: true,
  state: true,
  onScore: true,
  signal: true,
};

/** A rate and how sure it is. */
export interface TuneRate extends TuneScore {
  readonly tasks: number;
  readonly rate: number;
  /** 95 % of the rate: see {@link wilsonInterval} */
  readonly interval: Interval;
}

/** The result of a search. */
export interface TuneResult {
  readonly strength: number;
  /** ascending in strength */
  readonly curve: readonly TunePoint[];
  readonly tuningTasks: readonly number[];
  readonly heldTasks: readonly number[];
  /** on the tasks used for tuning */
  readonly tuned: TuneRate;
  /** on the other tasks: the number to report */
  readonly held: TuneRate;
  /** strength 1 on the other tasks, to compare with */
  readonly heldPlain: TuneRate;
  /** held.rate - heldPlain.rate */
  readonly gain: number;
  /** 95 % of the gain, were both runs independent; as they share their tasks, it is rather narrower. At strength 1 there is no gain: 0 to 0 */
  readonly gainInterval: Interval;
  readonly state: TuneState;
}

/**
 * Searches for the strength that passes most tasks. Strength 1 is always scored, and so is every point of the coarse grid; then, between
 * the best and its neighbors, the middles, until they are `resolution` apart or three points in a row have the same count. Of equal strengths the
 * nearest to 1 wins. Deterministic: the same scores give the same calls and the same result.
 *
 * Throws RangeError on settings out of range, a score outside 0 .. tasks, and a state of other settings; rejects with the signal's reason.
 */
export async function tuneStrength(options: TuneOptions): Promise<TuneResult> {
  checkOptions("tuneStrength", options, TUNE_OPTIONS);
  const settings = settingsOf(options);
  const { tasks, share, seed, low, high, step, resolution } = settings;
  const { score, onScore, signal, state } = options;
  if (state) checkState(state, settings);
  const { tuning, held } = splitTasks(tasks, share, seed);
  const scores = [...(state?.scores ?? [])];
  const heldScores = [...(state?.held ?? [])];
  const snapshot = (): TuneState => ({ version: 1, settings, scores: [...scores], held: [...heldScores] });

  const passedAt = async (strength: number, indices: readonly number[], known: TuneScore[]): Promise<number> => {
    const before = known.find((entry) => entry.strength === strength);
    if (before) return before.passed;
    signal?.throwIfAborted();
    const passed = await score(strength, indices, signal);
    if (!(passed >= 0 && passed <= indices.length)) {
      throw new RangeError(
        `the score at strength ${strength} is ${passed}: it must be a number from 0 to ${indices.length}`,
      );
    }
    known.push({ strength, passed });
    await onScore?.(snapshot());
    return passed;
  };

  const visited = new Map<number, number>();
  const visit = async (strength: number): Promise<void> => {
    if (!visited.has(strength)) visited.set(strength, await passedAt(strength, tuning, scores));
  };
  const curveNow = (): TunePoint[] => smooth([...visited], tuning.length, 3 * step);

  await visit(1);
  const steps = Math.floor((high - low) / step + 1e-9);
  for (let i = 0; i <= steps; i++) await visit(round(low + i * step));
  for (let gap = step / 2; gap >= resolution * (1 - 1e-9); gap /= 2) {
    const curve = curveNow();
    const at = bestOf(curve);
    const neighbors = [curve[at - 1], curve[at + 1]].filter((point) => point !== undefined);
    // At an end of the range the plateau must go on for two points, as it does elsewhere.
    const from = Math.max(0, Math.min(at - 1, curve.length - 3));
    if (curve.slice(from, from + 3).every(({ passed }) => passed === curve[at]!.passed)) break;
    for (const { strength } of neighbors) {
      const middle = round((curve[at]!.strength + strength) / 2);
      // Neighbours that are near already, or lie outside of the range, have no middle to try.
      if (Math.abs(middle - curve[at]!.strength) > gap * 0.75 && middle >= low && middle <= high) await visit(middle);
    }
  }

  const curve = curveNow();
  const best = curve[bestOf(curve)]!;
  const rate = async (strength: number): Promise<TuneRate> =>
    rateOf(strength, await passedAt(strength, held, heldScores), held.length);
  const heldPlain = await rate(1);
  const heldBest = best.strength === 1 ? heldPlain : await rate(best.strength);
  return {
    strength: best.strength,
    curve,
    tuningTasks: tuning,
    heldTasks: held,
    tuned: rateOf(best.strength, best.passed, tuning.length),
    held: heldBest,
    heldPlain,
    gain: heldBest.rate - heldPlain.rate,
    gainInterval: best.strength === 1 ? { low: 0, high: 0 } : differenceInterval(heldBest, heldPlain),
    state: snapshot(),
  };
}

/**
 * The tasks to tune on and the others, both ascending: those whose number, hashed with the seed, comes first. At least one of each.
 * Throws RangeError for fewer than 2 tasks, a share outside 0 .. 1 and a seed that is no whole number.
 */
export function splitTasks(tasks: number, share: number, seed: number): { tuning: number[]; held: number[] } {
  if (!(Number.isSafeInteger(tasks) && tasks >= 2)) {
    throw new RangeError(`there are ${tasks} tasks; tuning on some and scoring on others needs at least 2`);
  }
  if (!(share > 0 && share < 1))
    throw new RangeError(`the share of tasks to tune on is ${share}: it must be above 0 and below 1`);
  if (!Number.isSafeInteger(seed)) throw new RangeError(`the seed is ${seed}: it must be a whole number`);
  const order = Array.from({ length: tasks }, (_, task) => ({ task, hash: hash(seed, task) }));
  order.sort((a, b) => a.hash - b.hash || a.task - b.task);
  const count = Math.min(tasks - 1, Math.max(1, Math.round(tasks * share)));
  const numbers = (part: typeof order): number[] => part.map(({ task }) => task).sort((a, b) => a - b);
  return { tuning: numbers(order.slice(0, count)), held: numbers(order.slice(count)) };
}

/** 32 bits of two numbers: MurmurHash3's steps and finalizer. */
function hash(seed: number, task: number): number {
  let h = 0;
  for (const word of [seed | 0, Math.floor(seed / 2 ** 32) | 0, task]) {
    const scrambled = Math.imul(word, 0xcc9e2d51);
    h ^= Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593);
    h = Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64;
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function settingsOf(options: TuneOptions): TuneSettings {
  const { tasks, share = 0.18, seed = 0, low = 1, high = 1.8, step = 0.1 } = options;
  const { resolution = step / 4 } = options;
  for (const [name, value] of Object.entries({ low, high, step, resolution })) {
    if (!Number.isFinite(value)) throw new RangeError(`tuning: ${name} is ${value}: it must be a finite number`);
  }
  if (low >= high) throw new RangeError(`tuning: low is ${low} and high is ${high}; low must be below high`);
  if (step <= 0 || step > high - low) {
    throw new RangeError(`tuning: step is ${step}; it must be above 0 and at most high - low, ${round(high - low)}`);
  }
  if (resolution <= 0) throw new RangeError(`tuning: resolution is ${resolution}; it must be above 0`);
  return { tasks, share, seed, low, high, step, resolution };
}

function checkState(state: TuneState, settings: TuneSettings): void {
  if (state.version !== 1)
    throw new RangeError(`the state of tuning has version ${String(state.version)}; only 1 is known`);
  for (const name of Object.keys(settings) as (keyof TuneSettings)[]) {
    if (state.settings[name] !== settings[name]) {
      throw new RangeError(
        `the state of tuning is of a search with ${name} ${state.settings[name]}, not ${settings[name]}: start without it`,
      );
    }
  }
}

/** Strengths are kept free of rounding's tails: 1.15, not 1.1500000000000001. */
function round(strength: number): number {
  return Math.round(strength * 1e9) / 1e9;
}

function rateOf(strength: number, passed: number, tasks: number): TuneRate {
  const rate = passed / tasks;
  return { strength, passed, tasks, rate, interval: wilsonInterval(passed, tasks) };
}

/**
 * The curve, each point with the value there of the straight line that fits its neighborhood best (weighted least squares; weights fall
 * linearly to 0 at `reach`). Unlike a mean it is right at the ends of the range and where points are denser on one side.
 */
function smooth(
  scores: readonly (readonly [strength: number, passed: number])[],
  tasks: number,
  reach: number,
): TunePoint[] {
  const points = scores
    .map(([strength, passed]) => ({ strength, passed, rate: passed / tasks }))
    .sort((a, b) => a.strength - b.strength);
  return points.map((point) => {
    let [s0, s1, s2, t0, t1] = [0, 0, 0, 0, 0];
    for (const { strength, rate } of points) {
      const x = strength - point.strength;
      const weight = Math.max(0, 1 - Math.abs(x) / reach);
      s0 += weight;
      s1 += weight * x;
      s2 += weight * x * x;
      t0 += weight * rate;
      t1 += weight * x * rate;
    }
    const spread = s0 * s2 - s1 * s1;
    return { ...point, smoothed: spread > 1e-12 ? (s2 * t0 - s1 * t1) / spread : t0 / s0 };
  });
}

/** Index of the point judged best; of equal ones, to rounding, the one nearest to 1. */
function bestOf(curve: readonly TunePoint[]): number {
  const isBetter = (a: TunePoint, b: TunePoint): boolean => {
    if (Math.abs(a.smoothed - b.smoothed) > 1e-9) return a.smoothed > b.smoothed;
    return Math.abs(a.strength - 1) < Math.abs(b.strength - 1);
  };
  return curve.reduce((best, point, i) => (isBetter(point, curve[best]!) ? i : best), 0);
}

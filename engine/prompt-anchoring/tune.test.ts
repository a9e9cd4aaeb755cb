import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { differenceInterval, wilsonInterval } from "./interval.ts";
import { splitTasks, tuneStrength, type TuneOptions, type TuneState } from "./tune.ts";

/** A score that is a function of the strength: rate · tasks, without noise. */
const scoreOf =
  (rate: (strength: number) => number): TuneOptions["score"] =>
  async (strength, tasks) =>
    tasks.length * rate(strength);

const roundTop = (w: number): number => 0.5 - (w - 1.27) ** 2;
const trueRate = (w: number): number => Math.max(0.02, 0.35 - 1.2 * (w - 1.3) ** 2);

/** A generator of numbers in 0 .. 1 for simulated noise. */
function noise(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    return ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32;
  };
}

describe("splitTasks", () => {
  it("splits all tasks in two, by share and seed", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 300 }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        fc.integer(),
        (tasks, share, seed) => {
          const { tuning, held } = splitTasks(tasks, share, seed);
          expect([...tuning, ...held].toSorted((a, b) => a - b)).toEqual(Array.from({ length: tasks }, (_, i) => i));
          expect(tuning.length).toBe(Math.min(tasks - 1, Math.max(1, Math.round(tasks * share))));
          expect(splitTasks(tasks, share, seed)).toEqual({ tuning, held });
        },
      ),
    );
  });

  it("takes other tasks for another seed, each about as often", () => {
    const counts = Array.from({ length: 20 }, () => 0);
    for (let seed = 0; seed < 2000; seed++) for (const task of splitTasks(20, 0.2, seed).tuning) counts[task]!++;
    for (const count of counts) expect(Math.abs(count - 400)).toBeLessThan(90); // five standard deviations
  });

  it.each([
    [1, 0.2, 0, "there are 1 tasks"],
    [10, 1, 0, "the share of tasks to tune on is 1"],
    [10, 0.2, 0.5, "the seed is 0.5"],
  ])("refuses %s tasks, share %s, seed %s", (tasks, share, seed, message) => {
    expect(() => splitTasks(tasks, share, seed)).toThrow(message);
  });
});

describe("tuneStrength", () => {
  it.each([1, 1.05, 1.2, 1.23, 1.3, 1.37, 1.5, 1.8])("finds the top of a curve without noise at %s", async (peak) => {
    for (const rate of [(w: number) => 0.9 - 0.5 * Math.abs(w - peak), (w: number) => 0.9 - 1.2 * (w - peak) ** 2]) {
      const { strength, curve } = await tuneStrength({ tasks: 500, score: scoreOf(rate) });
      expect(Math.abs(strength - peak)).toBeLessThanOrEqual(0.051);
      expect(curve.length).toBeLessThanOrEqual(14);
    }
  });

  it("keeps the whole curve: strength 1, the coarse grid and the finer points round the best", async () => {
    const score = scoreOf((w) => 0.9 - Math.abs(w - 1.3));
    const { curve, state } = await tuneStrength({ tasks: 500, score, low: 1.1, high: 1.5 });
    expect(curve.map(({ strength }) => strength)).toEqual([1, 1.1, 1.2, 1.25, 1.275, 1.3, 1.325, 1.35, 1.4, 1.5]);
    expect(state.scores.map(({ strength }) => strength)).toEqual([
      1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.25, 1.35, 1.275, 1.325,
    ]);
    for (const { passed, rate } of curve) expect(rate).toBe(passed / 90);
  });

  it("judges a straight curve by itself, at its ends too", async () => {
    const { curve, strength } = await tuneStrength({ tasks: 100, score: scoreOf((w) => w / 2) });
    for (const { rate, smoothed } of curve) expect(smoothed).toBeCloseTo(rate, 9);
    expect(strength).toBe(1.8);
  });

  it("takes the nearest to 1 of equal strengths, and does not refine a plateau", async () => {
    const flat = await tuneStrength({ tasks: 100, score: scoreOf(() => 0.5), low: 0.5, high: 1.5 });
    expect(flat.strength).toBe(1);
    expect(flat.curve).toHaveLength(11);
    expect(flat).toMatchObject({ gain: 0, gainInterval: { low: 0, high: 0 } });
    const below = await tuneStrength({ tasks: 100, score: scoreOf((w) => (w < 1 ? 0.6 : 0.5)), low: 0, high: 1.5 });
    expect(below.strength).toBeLessThan(1);
  });

  it("scores on the tasks not used, once for the best and once for the plain model", async () => {
    const calls: { strength: number; tasks: readonly number[] }[] = [];
    const result = await tuneStrength({
      tasks: 100,
      score: async (strength, tasks) => {
        calls.push({ strength, tasks });
        return tasks.length * (strength === 1 ? 0.25 : 0.75 - Math.abs(strength - 1.4));
      },
    });
    expect(result.tuningTasks).toHaveLength(18);
    expect(result.heldTasks).toHaveLength(82);
    expect(calls.slice(-2)).toEqual([
      { strength: 1, tasks: result.heldTasks },
      { strength: result.strength, tasks: result.heldTasks },
    ]);
    for (const { tasks } of calls.slice(0, -2)) expect(tasks).toEqual(result.tuningTasks);
    expect(new Set(calls.map(({ strength, tasks }) => `${strength} ${tasks.length}`)).size).toBe(calls.length);
    expect(result.heldPlain).toMatchObject({ strength: 1, passed: 20.5, rate: 0.25 });
    expect(result.heldPlain.interval).toEqual(wilsonInterval(20.5, 82));
    expect(result.gain).toBeCloseTo(result.held.rate - 0.25, 12);
    expect(result.gainInterval).toEqual(differenceInterval(result.held, result.heldPlain));
  });

  it("goes on where it was interrupted, through JSON, to the same result", async () => {
    const whole = await tuneStrength({ tasks: 200, score: scoreOf(roundTop) });
    const all = whole.state.scores.length + whole.state.held.length;
    for (let stop = 0; stop < all; stop++) {
      let kept: TuneState | undefined;
      let calls = 0;
      const failing: TuneOptions["score"] = async (strength, tasks) => {
        if (calls++ === stop) throw new Error("the machine was needed");
        return tasks.length * roundTop(strength);
      };
      const first = tuneStrength({ tasks: 200, score: failing, onScore: (state) => void (kept = state) });
      await expect(first).rejects.toThrow("the machine was needed");
      let rest = 0;
      const state = kept && (JSON.parse(JSON.stringify(kept)) as TuneState);
      const score: TuneOptions["score"] = async (strength, tasks) => (rest++, tasks.length * roundTop(strength));
      expect(await tuneStrength({ tasks: 200, score, state })).toEqual(whole);
      expect(rest).toBe(all - stop);
    }
  });

  it("does better on noisy counts than taking the highest", async () => {
    let [ours, highest] = [0, 0];
    for (let run = 0; run < 200; run++) {
      const random = noise(run + 1);
      const luck = Array.from({ length: 300 }, random);
      const score: TuneOptions["score"] = async (w, tasks) =>
        tasks.filter((task) => (random() < 0.5 ? luck[task]! : random()) < trueRate(w)).length;
      const { strength, curve } = await tuneStrength({ tasks: 300, score });
      ours += trueRate(strength);
      highest += trueRate(curve.reduce((best, point) => (point.passed > best.passed ? point : best)).strength);
    }
    expect(ours / 200).toBeGreaterThan(highest / 200 + 0.001);
  });

  it("stops at a signal", async () => {
    const controller = new AbortController();
    const score: TuneOptions["score"] = async (_strength, tasks) => (
      controller.abort(new Error("enough")),
      tasks.length
    );
    await expect(tuneStrength({ tasks: 50, score, signal: controller.signal })).rejects.toThrow("enough");
  });

  it("refuses a state of another search, and scores that cannot be", async () => {
    const score = scoreOf(() => 0.5);
    const { state } = await tuneStrength({ tasks: 50, score });
    await expect(tuneStrength({ tasks: 50, score, seed: 1, state })).rejects.toThrow(
      "the state of tuning is of a search with seed 0, not 1: start without it",
    );
    await expect(tuneStrength({ tasks: 50, score: scoreOf(() => 1.5) })).rejects.toThrow(
      "the score at strength 1 is 13.5: it must be a number from 0 to 9",
    );
  });

  it.each([
    [{ low: 2, high: 1 }, "low is 2 and high is 1"],
    [{ step: 2 }, "step is 2; it must be above 0 and at most high - low, 0.8"],
    [{ resolution: 0 }, "resolution is 0"],
    [{ low: NaN }, "low is NaN"],
  ])("refuses %o", async (options, message) => {
    await expect(tuneStrength({ tasks: 50, score: scoreOf(() => 0.5), ...options })).rejects.toThrow(message);
  });
});

import { expect, test } from "vitest";
import { bestOf, judge } from "./goals.ts";
import { WORKS, type Goal } from "./works.ts";

const medians = new Map([
  ["ours", 60],
  ["slow", 10],
  ["fast", 25],
]);
const goal = (others: readonly string[], bound: Goal["bound"], value: number): Goal => ({
  ...{ ours: "ours", others, bound, value },
});

test("the best of the others that ran counts", () => {
  expect(bestOf(["slow", "fast", "absent"], medians, false)).toBe("fast");
  expect(bestOf(["slow", "fast", "absent"], medians, true)).toBe("slow");
  expect(bestOf(["absent"], medians, false)).toBeUndefined();
});

test("a goal is met from its very bound on", () => {
  const met = judge(goal(["slow", "fast"], "at least", 2.4), medians, false);
  expect(met).toMatchObject({ against: "fast", reached: 2.4, isMet: true });
  expect(judge(goal(["fast"], "at least", 2.41), medians, false).isMet).toBe(false);
  expect(judge(goal(["slow"], "at most", 6), medians, true)).toMatchObject({ reached: 6, isMet: true });
  expect(judge(goal(["slow"], "at most", 5.9), medians, true).isMet).toBe(false);
});

test("our value may stand alone", () => {
  expect(judge(goal([], "at most", 90), medians, true)).toMatchObject({ reached: 60, against: undefined, isMet: true });
});

test("without one side a goal is open", () => {
  expect(judge(goal(["absent"], "at least", 1), medians, false)).toMatchObject({
    reached: undefined,
    isMet: undefined,
  });
  expect(judge({ ...goal(["slow"], "at least", 1), ours: "absent" }, medians, false).isMet).toBeUndefined();
});

test("goals name entrants of their work, and names are unique", () => {
  for (const { name, entrants, goals } of WORKS) {
    const names = entrants.map((one) => one.name);
    expect(new Set(names).size, name).toBe(names.length);
    for (const { ours, others } of goals) expect(names, name).toEqual(expect.arrayContaining([ours, ...others]));
  }
});

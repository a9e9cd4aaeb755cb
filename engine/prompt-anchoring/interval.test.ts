import { describe, expect, it } from "vitest";
import { differenceInterval, wilsonInterval } from "./interval.ts";

const rounded = ({ low, high }: { readonly low: number; readonly high: number }) => [low.toFixed(4), high.toFixed(4)];

describe("Wilson's interval", () => {
  // by R: prop.test(x, n, correct = FALSE)$conf.int, and Newcombe's table I
  it.each([
    [81, 263, "0.2553", "0.3662"],
    [15, 148, "0.0624", "0.1605"],
    [0, 20, "0.0000", "0.1611"],
    [1, 29, "0.0061", "0.1718"],
    [8, 8, "0.6756", "1.0000"],
    [199, 200, "0.9722", "0.9991"],
    [0, 1, "0.0000", "0.7935"],
  ])("of %d in %d", (passed, tasks, low, high) => {
    expect(rounded(wilsonInterval(passed, tasks))).toEqual([low, high]);
  });

  it("holds its rate, lies within 0 and 1, and mirrors", () => {
    for (let tasks = 1; tasks <= 60; tasks++) {
      for (let passed = 0; passed <= tasks; passed++) {
        const { low, high } = wilsonInterval(passed, tasks);
        const other = wilsonInterval(tasks - passed, tasks);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1);
        expect(low).toBeLessThanOrEqual(passed / tasks);
        expect(high).toBeGreaterThanOrEqual(passed / tasks);
        expect(high - low).toBeGreaterThan(0.02);
        expect(other.low).toBeCloseTo(1 - high, 12);
      }
    }
  });

  it.each([
    [1, 0],
    [-1, 5],
    [6, 5],
    [NaN, 5],
    [1, 2.5],
  ])("of %d in %d is refused", (passed, tasks) => {
    expect(() => wilsonInterval(passed, tasks)).toThrow(`an interval of ${passed} passes in ${tasks} tasks`);
  });
});

const rate = (passed: number, tasks: number) => ({ rate: passed / tasks, interval: wilsonInterval(passed, tasks) });

describe("the interval of a difference", () => {
  // Newcombe's table II, method 10
  it.each([
    [56, 70, 48, 80, "0.0524", "0.3339"],
    [9, 10, 3, 10, "0.1705", "0.8090"],
    [10, 10, 0, 20, "0.6791", "1.0000"],
    [10, 10, 0, 10, "0.6075", "1.0000"],
  ])("of %d in %d and %d in %d", (a, m, b, n, low, high) => {
    expect(rounded(differenceInterval(rate(a, m), rate(b, n)))).toEqual([low, high]);
  });
});

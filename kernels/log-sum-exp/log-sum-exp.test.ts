import { expect, test } from "vitest";
import { logSumExp } from "./log-sum-exp.ts";

test("of equal numbers is theirs and the logarithm of how many there are", () => {
  const y = new Float64Array(4);
  const x = Float64Array.of(700, 700, 700, 700, 0, Math.log(3), -Infinity, -Infinity);
  logSumExp.reference({ x, y }, { rows: 2, columns: 4, wantsSum: 1 });
  expect(y[0]).toBe(700);
  expect(y[1]).toBeCloseTo(700 + Math.log(4), 12);
  expect(y[2]).toBe(Math.log(3));
  expect(y[3]).toBeCloseTo(Math.log(4), 12);
});

test("is the largest number twice where no sum is wanted", () => {
  const y = new Float64Array(4);
  logSumExp.reference({ x: Float64Array.of(1, 7, 3, 2, -Infinity, 0), y }, { rows: 2, columns: 3, wantsSum: 0 });
  expect([...y]).toEqual([7, 7, 2, 2]);
});

test.each([0, 1])("is NaN where no token can be chosen: sum %d", (wantsSum) => {
  const y = new Float64Array(6);
  const none = -Infinity;
  logSumExp.reference({ x: Float64Array.of(NaN, 1, Infinity, 1, none, none), y }, { rows: 3, columns: 2, wantsSum });
  expect([...y]).toEqual(Array.from({ length: 6 }, () => NaN));
});

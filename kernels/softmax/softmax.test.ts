import { expect, test } from "vitest";
import { softmax } from "./softmax.ts";

test("of log 1, log 3 is a quarter and three quarters; of nothing but -Infinity, zeros", () => {
  const y = new Float64Array(4);
  softmax.reference({ x: Float64Array.of(0, Math.log(3), -Infinity, -Infinity), y }, { rows: 2, columns: 2 });
  expect(y[0]).toBeCloseTo(0.25, 12);
  expect(y[1]).toBeCloseTo(0.75, 12);
  expect([...y.slice(2)]).toEqual([0, 0]);
});

test("of NaN or Infinity is NaN, but 0 for -Infinity", () => {
  const y = new Float64Array(6);
  softmax.reference({ x: Float64Array.of(NaN, 1, -Infinity, Infinity, 1, -Infinity), y }, { rows: 2, columns: 3 });
  expect([...y]).toEqual([NaN, NaN, 0, NaN, NaN, 0]);
});

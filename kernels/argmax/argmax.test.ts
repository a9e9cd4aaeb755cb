import { expect, test } from "vitest";
import { argmax } from "./argmax.ts";

test("takes the first of equal ones", () => {
  const best = new Uint32Array(2);
  argmax.reference({ x: Float64Array.of(1, 5, 5, -7, -7, -9), best }, { rows: 2, columns: 3 });
  expect([...best]).toEqual([1, 0]);
});

test("names no column where a number is NaN or Infinity, or none is above -Infinity", () => {
  const [none, most] = [-Infinity, 3.4e38];
  const x = Float64Array.of(1, NaN, NaN, 1, Infinity, 2, 1, 1e39, none, none, none, 5, none, most);
  const best = new Uint32Array(7);
  argmax.reference({ x, best }, { rows: 7, columns: 2 });
  expect([...best]).toEqual([2, 2, 2, 2, 2, 1, 1]);
});

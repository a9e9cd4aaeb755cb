import { expect, test } from "vitest";
import { topK } from "./top-k.ts";

test("of equal ones takes the lower column first, and adds up the weights of all", () => {
  const x = Float64Array.of(1, 5, 5, -Infinity, 3, 3, 3, 3);
  const values = new Float64Array(6);
  const columnOf = new Uint32Array(6);
  const total = new Float64Array(2);
  topK.reference({ x, values, columnOf, total }, { rows: 2, columns: 4, k: 3, scale: Math.log(2) });
  expect([...columnOf]).toEqual([1, 2, 0, 0, 1, 2]);
  expect([...values]).toEqual([5, 5, 1, 3, 3, 3]);
  expect(total[0]).toBeCloseTo(1 + 1 + 2 ** -4, 12);
  expect(total[1]).toBeCloseTo(4, 12);
});

test("has no total where no number can be chosen", () => {
  const total = new Float64Array(3);
  const rest = { values: new Float64Array(6), columnOf: new Uint32Array(6) };
  const x = Float64Array.of(1, NaN, Infinity, 1, -Infinity, -Infinity);
  topK.reference({ x, ...rest, total }, { rows: 3, columns: 2, k: 2, scale: 1 });
  expect([...total]).toEqual([NaN, NaN, NaN]);
});

import { expect, test } from "vitest";
import { normalize } from "./normalize.ts";

function run(x: readonly number[], centered: number): number[] {
  const y = new Float64Array(x.length);
  normalize.reference({ x: Float64Array.from(x), y }, { rows: 1, dim: x.length, epsilon: 0, centered });
  return [...y];
}

test("the mean square of the result is 1", () => {
  expect(run([8, 0, 0, 0], 0)).toEqual([2, 0, 0, 0]);
});
test("1 and 3 become -1 and 1 when centered", () => {
  expect(run([1, 3], 1)).toEqual([-1, 1]);
});

import { expect, test } from "vitest";
import { argmax } from "./argmax.ts";

test("takes the first of equal ones and never NaN", () => {
  const best = new Uint32Array(3);
  argmax.reference({ x: Float64Array.of(1, 5, 5, NaN, -2, -1, -7, -7, -9), best }, { rows: 3, columns: 3 });
  expect([...best]).toEqual([1, 2, 0]);
});

import { expect, test } from "vitest";
import { scaleShift } from "./scale-shift.ts";

test("every row is multiplied by offset and weight, and shifted by the bias", () => {
  const y = new Float64Array(4);
  const [weight, bias] = [Float64Array.of(2, 3), Float64Array.of(10, 20)];
  const x = Float64Array.of(1, 2, 3, 4);
  scaleShift.reference({ x, weight, bias, y }, { rows: 2, dim: 2, weightOffset: 1 });
  expect([...y]).toEqual([13, 28, 19, 36]);
  scaleShift.reference({ x, weight, bias: undefined, y }, { rows: 2, dim: 2, weightOffset: 0 });
  expect([...y]).toEqual([2, 6, 6, 12]);
});

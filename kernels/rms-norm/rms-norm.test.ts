import { expect, test } from "vitest";
import { rmsNorm } from "./rms-norm.ts";

test("3 and 4 with epsilon 0 are divided by sqrt(12.5)", () => {
  const y = new Float64Array(2);
  const x = Float64Array.of(3, 4);
  rmsNorm.reference({ x, weight: Float64Array.of(1, 2), y }, { rows: 1, dim: 2, epsilon: 0, weightOffset: 0 });
  expect(y[0]).toBeCloseTo(3 / Math.sqrt(12.5), 12);
  expect(y[1]).toBeCloseTo(8 / Math.sqrt(12.5), 12);
});

test("the residual is added and the weight's offset counts", () => {
  const y = new Float64Array(1);
  const buffers = { x: Float64Array.of(-2), weight: Float64Array.of(0.5), residual: Float64Array.of(10), y };
  rmsNorm.reference(buffers, { rows: 1, dim: 1, epsilon: 0, weightOffset: 1 });
  expect(y[0]).toBeCloseTo(10 - 1.5, 12);
});

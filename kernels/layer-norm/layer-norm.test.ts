import { expect, test } from "vitest";
import { layerNorm } from "./layer-norm.ts";

test("1 and 3 become -1 and 1 before weight and bias", () => {
  const y = new Float64Array(2);
  const buffers = { x: Float64Array.of(1, 3), weight: Float64Array.of(2, 5), bias: Float64Array.of(10, 20), y };
  layerNorm.reference(buffers, { rows: 1, dim: 2, epsilon: 0 });
  expect([...y]).toEqual([8, 25]);
});

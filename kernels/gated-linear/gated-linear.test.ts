import { expect, test } from "vitest";
import { ACTIVATIONS } from "../activation.ts";
import { gatedLinear } from "./gated-linear.ts";

test("is act(gate) times up, each with its bias", () => {
  const y = new Float64Array(1);
  const buffers = {
    x: Float64Array.of(2),
    gate: Float64Array.of(3),
    up: Float64Array.of(5),
    gateBias: Float64Array.of(1),
    upBias: Float64Array.of(-4),
    y,
  };
  const params = { rows: 1, inputs: 1, outputs: 1, outputBegin: 0, outputStride: 1, activation: ACTIVATIONS.relu };
  gatedLinear.reference(buffers, params);
  expect(y[0]).toBe(7 * 6);
  gatedLinear.reference({ ...buffers, gate: Float64Array.of(-3) }, params);
  expect(y[0]).toBe(0);
});

import { expect, test } from "vitest";
import { ACTIVATIONS } from "../activation.ts";
import { linear } from "./linear.ts";

const params = { rows: 2, inputs: 2, outputs: 1, outputBegin: 1, outputStride: 3, activation: 0, softcap: 0 };
const x = Float64Array.of(1, 2, 3, 4);
const weight = Float64Array.of(10, 100);

test("writes its own columns and no others", () => {
  const y = new Float64Array(6).fill(-1);
  linear.reference({ x, weight, y }, params);
  expect([...y]).toEqual([-1, 210, -1, -1, 430, -1]);
});

test("adds bias before and residual after the activation", () => {
  const y = new Float64Array(6);
  const bias = Float64Array.of(0, -300, 0);
  const residual = Float64Array.of(0, 5, 0, 0, 6, 0);
  linear.reference({ x, weight, bias, residual, y }, { ...params, activation: ACTIVATIONS.relu });
  expect([...y]).toEqual([0, 5, 0, 0, 136, 0]);
});

test("caps softly", () => {
  const y = new Float64Array(6);
  linear.reference({ x, weight, y }, { ...params, softcap: 30 });
  expect(y[1]).toBeCloseTo(30 * Math.tanh(7), 12);
});

test("in pieces is the whole", () => {
  const whole = { rows: 2, inputs: 2, outputs: 3, outputBegin: 0, outputStride: 3, activation: 0, softcap: 0 };
  const all = Float64Array.of(1, 2, 3, 4, 5, 6);
  const [once, twice] = [new Float64Array(6), new Float64Array(6)];
  linear.reference({ x, weight: all, y: once }, whole);
  linear.reference({ x, weight: all.slice(0, 2), y: twice }, {
    ...whole,
    ...linear.piece!(whole, 0, 1),
  } as typeof whole);
  linear.reference({ x, weight: all.slice(2), y: twice }, { ...whole, ...linear.piece!(whole, 1, 3) } as typeof whole);
  expect(twice).toEqual(once);
});

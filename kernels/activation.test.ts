import { describe, expect, test } from "vitest";
import { ACTIVATIONS, activate, erf } from "./activation.ts";

describe("erf", () => {
  // From tables (Abramowitz and Stegun 7.1, to ten digits).
  test.each([
    [0, 0],
    [0.1, 0.112462916],
    [0.5, 0.5204998778],
    [1, 0.8427007929],
    [2, 0.995322265],
    [2.6, 0.9997639656],
    [3.5, 0.9999992569],
  ])("of %d is %d", (x, want) => {
    expect(erf(x)).toBeCloseTo(want, 9);
    expect(erf(-x)).toBeCloseTo(-want, 9);
  });

  test("is smooth where its two series meet", () => {
    expect(erf(2.5) - erf(2.5 - 1e-9)).toBeLessThan(1e-11);
  });
});

describe("activations", () => {
  test("are what they are called", () => {
    expect(activate(ACTIVATIONS.none, -3)).toBe(-3);
    expect(activate(ACTIVATIONS.relu, -3)).toBe(0);
    expect(activate(ACTIVATIONS.relu, 3)).toBe(3);
    expect(activate(ACTIVATIONS.silu, 1)).toBeCloseTo(1 / (1 + Math.exp(-1)), 12);
    expect(activate(ACTIVATIONS.gelu, 1)).toBeCloseTo(0.8413447461, 9);
    expect(activate(ACTIVATIONS["gelu-tanh"], 1)).toBeCloseTo(0.8411919906, 9);
  });

  test("of gelu differ between the exact and the tanh form by less than 1e-3", () => {
    for (let x = -6; x <= 6; x += 0.125) {
      const difference = activate(ACTIVATIONS.gelu, x) - activate(ACTIVATIONS["gelu-tanh"], x);
      expect(Math.abs(difference)).toBeLessThan(1e-3);
    }
  });
});

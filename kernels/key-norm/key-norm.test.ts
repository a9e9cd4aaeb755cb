import { expect, test } from "vitest";
import { keyNorm } from "./key-norm.ts";

test("of (3, 4) and (5, 12) is the mean of 5 and 13, whatever the values are", () => {
  const y = new Float64Array(1);
  const cache = Float64Array.of(9, 9, 9, 9, 9, 9, 9, 9, 3, 4, 5, 12, 100, 100, 100, 100);
  keyNorm.reference({ cache, slots: Uint32Array.of(1), y }, { rows: 1, kvHeads: 2, headDim: 2, list: 0, slotCount: 2 });
  expect(y[0]).toBe(9);
});

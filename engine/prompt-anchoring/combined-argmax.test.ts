import { describe, expect, test } from "vitest";
import { seededRandom } from "../../kernels/index.ts";
import { argmax } from "../generate/ranking.ts";
import { combine, combinedArgmax } from "./contrast.ts";

describe("combinedArgmax", () => {
  test("is the largest of the combined logits, for any strengths and shifts of rows", () => {
    const random = seededRandom(11);
    for (let round = 0; round < 300; round++) {
      const size = 2 + random.integer(60);
      const row = (shift: number) => Float32Array.from({ length: size }, () => shift + random.normal() * 3);
      const logits = row(random.normal() * 20);
      const masked = Array.from({ length: 1 + random.integer(3) }, () => row(random.normal() * 20));
      const strengths = masked.map(() => random.normal() * 2);
      expect(combinedArgmax(logits, masked, strengths)).toBe(argmax(combine(logits.slice(), masked, strengths)));
    }
  });

  test("follows combine where tokens are excluded", () => {
    const logits = Float32Array.of(1, -Infinity, 0.5, 2);
    for (const strength of [0.5, 1, 2]) {
      const masked = [Float32Array.of(0, 1, -Infinity, -Infinity)];
      expect(combinedArgmax(logits, masked, [strength])).toBe(argmax(combine(logits.slice(), masked, [strength])));
    }
  });

  test("refuses rows in which nothing can be chosen, and sums that no f32 holds", () => {
    const none = Number.NEGATIVE_INFINITY;
    for (const [plain, masked, strength] of [
      [[1, NaN], [0, 0], 2],
      [[1, Infinity], [0, 0], 2],
      [[none, none], [0, 0], 2],
      [[none, 1], [NaN, 0], 2],
      [[1, 2], [0, Infinity], 2],
      [[1, 2], [0, 0], 1e39],
    ] as const) {
      const combined = () => argmax(combine(Float32Array.from(plain), [masked], [strength]));
      expect(combined).toThrow("no token has a probability: of 2 logits");
      expect(() => combinedArgmax(plain, [masked], [strength])).toThrow("no token has a probability: of 2 logits");
    }
  });

  test("says which row has NaN", () => {
    expect(() => combinedArgmax([1, Number.NaN], [[0, 0]], [2])).toThrow("the plain row");
    expect(() => combinedArgmax([1, 2], [[0, Number.NaN]], [2])).toThrow("the masked row of group 0");
  });
});

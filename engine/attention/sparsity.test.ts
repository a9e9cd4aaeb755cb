import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AttentionPattern } from "./pattern.ts";
import { gini, topMass, sparsityOf } from "./sparsity.ts";
import { quantile, summarize } from "./summary.ts";

const weights = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 60 });
const hasMass = (row: readonly number[]) => row.some((weight) => weight > 1e-9);

describe("the Gini coefficient", () => {
  it.each([
    [[1, 1, 1, 1], 0],
    [[0, 0, 0, 1], 3 / 4],
    [[5], 0],
    // sorted 1 2 3: (-2 · 1 + 0 · 2 + 2 · 3) / (3 · 6)
    [[3, 1, 2], 4 / 18],
    // sorted 0 1 1 6: (-3 · 0 - 1 + 1 + 3 · 6) / (4 · 8)
    [[1, 6, 0, 1], 18 / 32],
  ])("of %j is %f", (row, expected) => {
    expect(gini(row)).toBeCloseTo(expected, 12);
  });

  it("is the mean difference of all pairs over twice the mean, whatever the order and the scale", () => {
    fc.assert(
      fc.property(weights.filter(hasMass), fc.double({ min: 0.5, max: 9, noNaN: true }), (row, scale) => {
        const n = row.length;
        const total = row.reduce((sum, weight) => sum + weight, 0);
        let differences = 0;
        for (const a of row) for (const b of row) differences += Math.abs(a - b);
        expect(gini(row)).toBeCloseTo(differences / (2 * n * total), 9);
        expect(gini(row.map((weight) => weight * scale).toReversed())).toBeCloseTo(gini(row), 9);
        expect(gini(row)).toBeLessThanOrEqual((n - 1) / n + 1e-9);
      }),
    );
  });

  it("is not a number where there is no mass", () => {
    expect(gini([])).toBeNaN();
    expect(gini([0, 0])).toBeNaN();
  });
});

describe("the mass of the largest weights", () => {
  it("is their share of all", () => {
    expect(topMass([1, 5, 2, 2])).toBeCloseTo(0.7, 12);
    expect(topMass([1, 5, 2, 2], 1)).toBeCloseTo(0.5, 12);
    expect(topMass([3])).toBe(1);
    expect(topMass([0])).toBeNaN();
  });
});

const evenRow = (keys: number): AttentionPattern => ({
  shape: [1, 1, keys],
  data: new Float32Array(keys).fill(0.125),
});

describe("a layer's sparsity", () => {
  // 2 heads, 3 rows, 4 keys: rows at positions 1, 2, 3
  const pattern: AttentionPattern = {
    shape: [2, 3, 4],
    data: [
      ...[0.5, 0.5, 0, 0, ...[0.2, 0.2, 0.6, 0], ...[0.25, 0.25, 0.25, 0.25]],
      ...[0, 1, 0, 0, ...[1, 0, 0, 0], ...[0.7, 0.1, 0.1, 0.1]],
    ],
  };

  it("counts the keys that a row may see, and no others", () => {
    const { giniOfRows, topMassOfRows } = sparsityOf(pattern, { minKeys: 2 });
    const expected = [0, 0.8 / 3, 0, 0.5, 2 / 3, 0.45];
    for (const [i, value] of expected.entries()) expect(giniOfRows[i]).toBeCloseTo(value, 12);
    for (const [i, value] of [1, 0.8, 0.5, 1, 1, 0.8].entries()) expect(topMassOfRows[i]).toBeCloseTo(value, 12);
  });

  it("leaves short rows out, by default those below 32 keys", () => {
    expect(sparsityOf(pattern, { minKeys: 4 }).heads.map((head) => head.gini?.count)).toEqual([1, 1]);
    expect([...sparsityOf(pattern, { minKeys: 3 }).giniOfRows].map((value) => Number.isNaN(value))).toEqual(
      [1, 0, 0, 1, 0, 0].map((is) => is === 1),
    );
    expect(sparsityOf(pattern).gini).toBeNull();
    expect(sparsityOf(evenRow(31)).gini).toBeNull();
    expect(sparsityOf(evenRow(32)).gini).toMatchObject({ count: 1, mean: 0 });
  });

  it("follows the mask, the rows asked for and given positions", () => {
    const masked = sparsityOf(pattern, { minKeys: 1, rows: [2], isVisible: (_row, key) => key !== 1 });
    expect(masked.giniOfRows[5]).toBeCloseTo((2 * 0.6) / (3 * 0.9), 12);
    expect(masked.gini!.count).toBe(2);
    // keys that came later than all rows: nothing is left but the first
    const late = sparsityOf(pattern, { minKeys: 1, keyPositions: [0, 7, 8, 9], rowPositions: [4, 5, 6] });
    expect(late.gini!.count).toBe(5);
    expect(late.gini!.max).toBe(0);
  });

  it("comes together by head", () => {
    const one = sparsityOf(pattern, { minKeys: 2 });
    expect(one.heads[1]!.gini!.mean).toBeCloseTo((0.5 + 2 / 3 + 0.45) / 3, 12);
    expect(one.gini!.mean).toBeCloseTo((0.8 / 3 + 0.5 + 2 / 3 + 0.45) / 6, 12);
  });

  it.each<[string, AttentionPattern, Parameters<typeof sparsityOf>[1], string]>([
    ["a shape of two", { shape: [3, 4], data: new Float32Array(12) }, {}, "shape [3,4] has 12 weights"],
    ["a shape of four", { shape: [1, 1, 2, 1], data: [1, 1] }, {}, "shape [1,1,2,1] has 2 weights"],
    ["too few weights", { shape: [1, 2, 3], data: [1] }, {}, "shape [1,2,3] has 1 weights"],
    ["a row that is not there", pattern, { rows: [3] }, "row 3 is not in a pattern with 3 rows"],
    ["positions of other rows", pattern, { rowPositions: [1] }, "the pattern has 3 rows; 1 positions"],
    ["positions of other keys", pattern, { keyPositions: [1] }, "the pattern has 4 keys; 1 positions"],
    ["scores", { shape: [1, 1, 2], data: [0.5, -1] }, {}, "head 0, row 0, key 1: -1 is no weight"],
    ["no numbers", { shape: [1, 1, 1], data: [NaN] }, {}, "NaN is no weight"],
  ])("refuses %s", (_, given, options, message) => {
    expect(() => sparsityOf(given, options)).toThrow(RangeError);
    expect(() => sparsityOf(given, options)).toThrow(message);
  });
});

describe("summaries", () => {
  it("have quantiles between neighbors, and leave NaN out", () => {
    expect(summarize([4, NaN, 1, 2, 3])).toEqual({ count: 4, mean: 2.5, min: 1, quartiles: [1.75, 2.5, 3.25], max: 4 });
    expect(summarize([10, 9, 100])!.quartiles).toEqual([9.5, 10, 55]);
    expect(summarize([NaN])).toBeNull();
    expect([0, 0.5, 1].map((q) => quantile([1, 2, 9], q))).toEqual([1, 2, 9]);
    expect(quantile([7], 0.3)).toBe(7);
    expect(() => quantile([], 0.5)).toThrow("it has 0 and q is 0.5");
    expect(() => quantile([1], 1.5)).toThrow("it has 1 and q is 1.5");
  });
});

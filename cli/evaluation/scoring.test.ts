import { assert as check, integer, nat, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { mcNemar, meanPassAtK, passAtK } from "./scoring.ts";

/** C(n, k), exactly. */
function choose(n: number, k: number): number {
  let result = 1;
  for (let i = 1; i <= k; i++) result = (result * (n - k + i)) / i;
  return k > n ? 0 : result;
}

describe("pass@k", () => {
  it.each([
    [1, 1, 1, 1],
    [1, 0, 1, 0],
    [5, 2, 1, 0.4],
    [5, 2, 2, 1 - 3 / 10],
    [10, 3, 5, 1 - 21 / 252],
    [10, 3, 8, 1],
    [200, 1, 100, 0.5],
    [200, 0, 100, 0],
  ])("of %d samples with %d passed, k = %d, is %d", (n, c, k, wanted) => {
    expect(passAtK(n, c, k)).toBeCloseTo(wanted, 12);
  });

  it("is the closed form, and the share of the draws of k that hold a pass", () => {
    check(
      property(integer({ min: 1, max: 40 }), nat(40), nat(39), (n, c0, k0) => {
        const [c, k] = [c0 % (n + 1), (k0 % n) + 1];
        expect(passAtK(n, c, k)).toBeCloseTo(1 - choose(n - c, k) / choose(n, k), 10);
      }),
    );
  });

  it("is averaged over tasks", () => {
    expect(
      meanPassAtK(
        [
          { samples: 5, passed: 2 },
          { samples: 5, passed: 0 },
        ],
        2,
      ),
    ).toBeCloseTo(0.35, 12);
  });

  it.each([
    [3, 1, 4, "pass@4 of 3 samples"],
    [3, 4, 1, "with 4 passed"],
    [3, 1, 0, "pass@0"],
    [2.5, 1, 1, "of 2.5 samples"],
  ])("of %d samples with %d passed, k = %d, is refused", (n, c, k, message) => {
    expect(() => passAtK(n, c, k)).toThrow(message);
  });
});

/** Copies of one pair of outcomes. */
const copies = (first: boolean, second: boolean, count: number): [boolean, boolean][] =>
  Array.from({ length: count }, () => [first, second]);

/** Two systems that differ on so many tasks, and both pass so many more. */
function split(onlyFirst: number, onlySecond: number, both: number): [boolean[], boolean[]] {
  const pairs = [...copies(true, false, onlyFirst), ...copies(false, true, onlySecond), ...copies(true, true, both)];
  return [pairs.map(([a]) => a), pairs.map(([, b]) => b)];
}

describe("McNemar's exact test", () => {
  it.each([
    [1, 5, 14 / 64], // 2 (1 + 6) / 2^6
    [5, 1, 14 / 64],
    [0, 10, 2 / 1024],
    [2, 8, (2 * (1 + 10 + 45)) / 1024],
    [3, 3, 1],
    [0, 0, 1],
  ])("%d against %d", (onlyFirst, onlySecond, pValue) => {
    const result = mcNemar(...split(onlyFirst, onlySecond, 7));
    expect(result).toMatchObject({ onlyFirst, onlySecond });
    expect(result.pValue).toBeCloseTo(pValue, 12);
  });

  it("holds for thousands of tasks", () => {
    const { pValue } = mcNemar(...split(1000, 1100, 50)); // z = (100 - 1) / sqrt(2100) = 2.16
    expect(pValue).toBeGreaterThan(0.025);
    expect(pValue).toBeLessThan(0.036);
  });

  it("wants the same tasks", () => {
    expect(() => mcNemar([true], [])).toThrow("the first system has 1 tasks and the second 0");
  });
});

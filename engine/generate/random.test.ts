import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anySeed, createRandom, MAX_SEED, rowSeed, xoshiro128 } from "./random.ts";

const seeds = fc.maxSafeNat();

function take(seed: number, count: number): number[] {
  return Array.from({ length: count }, createRandom(seed));
}

function first(seed: number): number {
  return createRandom(seed)();
}

describe("xoshiro128**", () => {
  it("gives the published numbers for the state 1, 2, 3, 4", () => {
    const next = xoshiro128(1, 2, 3, 4);
    const got = Array.from({ length: 10 }, next);
    expect(got).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  it("refuses a state of zeros", () => {
    expect(() => xoshiro128(0, 0, 0, 0)).toThrow(RangeError);
  });
});

describe("createRandom", () => {
  it("repeats for the same seed and differs for neighboring ones", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        expect(take(seed, 8)).toEqual(take(seed, 8));
        const neighbor = seed === MAX_SEED ? seed - 1 : seed + 1;
        expect(take(seed, 8)).not.toEqual(take(neighbor, 8));
      }),
    );
  });

  it("uses all 53 bits of a seed", () => {
    expect(new Set([0, 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 52, MAX_SEED].map(first)).size).toBe(7);
  });

  it("keeps its numbers from version to version", () => {
    // Texts made with a seed are promised to repeat: these change only with a note in the changelog.
    expect(take(0, 3)).toEqual([0.856241959088401, 0.14318774157785052, 0.3471875125669812]);
    expect(take(42, 3)).toEqual([0.7116141544107562, 0.6713900012223215, 0.006258698996545187]);
  });

  it("is uniform in [0, 1): along one seed and across the first numbers of many", () => {
    const random = createRandom(7);
    const along = Array.from({ length: 20_000 }, random);
    const across = Array.from({ length: 20_000 }, (_, seed) => createRandom(seed)());
    for (const numbers of [along, across]) {
      expect(numbers.every((u) => u >= 0 && u < 1)).toBe(true);
      const bins = Array.from({ length: 64 }, () => 0);
      for (const u of numbers) bins[Math.floor(u * 64)]! += 1;
      const expected = numbers.length / 64;
      const chiSquare = bins.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
      // 63 degrees of freedom: 99.9 % of uniform sources stay below 103.4.
      expect(chiSquare).toBeLessThan(103.4);
    }
  });

  it.each([-1, 0.5, NaN, Infinity, 2 ** 53])("refuses the seed %s", (seed) => {
    expect(() => createRandom(seed)).toThrow(new RegExp(`^seed is ${seed}: it must be a whole number from 0 to`));
  });
});

describe("rowSeed", () => {
  it("leaves sample 0 the seed itself and gives every other sample a valid one of its own", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const all = Array.from({ length: 16 }, (_, sample) => rowSeed(seed, sample));
        expect(all[0]).toBe(seed);
        expect(new Set(all).size).toBe(16);
        // Both halves of the seed change, not the lower one alone.
        expect(new Set(all.slice(1).map((each) => Math.floor(each / 2 ** 32))).size).toBeGreaterThan(10);
        for (const each of all) expect(Number.isSafeInteger(each) && each >= 0).toBe(true);
      }),
    );
  });

  it("gives unrelated numbers to the samples of a run", () => {
    const drawn = Array.from({ length: 4000 }, (_, sample) => first(rowSeed(5, sample)));
    const mean = drawn.reduce((a, b) => a + b) / drawn.length;
    let covariance = 0;
    for (let i = 1; i < drawn.length; i++) covariance += (drawn[i]! - mean) * (drawn[i - 1]! - mean);
    // Four standard deviations of the mean and of the lag-1 correlation of 4000 independent numbers.
    expect(Math.abs(mean - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / 4000));
    expect(Math.abs((covariance / 4000) * 12)).toBeLessThan(4 / Math.sqrt(4000));
  });
});

it("anySeed is a valid seed", () => {
  for (let i = 0; i < 100; i++) expect(() => createRandom(anySeed())).not.toThrow();
});

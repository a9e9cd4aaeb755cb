import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Task } from "../../evaluation/task.ts";
import { nameOf, shiftedAnchors, STRENGTH, tuningSplit, VARIANTS, WORK, type Job } from "./plan.ts";

const task = (id: string, prompt: string, anchors: Task["anchors"]): Task => ({
  id,
  format: "humaneval-x",
  language: "javascript",
  prompt,
  anchors,
  entryPoint: "f",
  canonicalSolution: "}",
  stop: "line-begins-with-brace",
  check: { kind: "script", source: "f()" },
});

describe("the plan", () => {
  it("has a file for each way of decoding, and one way for each file", () => {
    const ways = WORK.filter((piece): piece is Job => "way" in piece).map(({ way }) => way);
    const wayOf = new Map(ways.map((way) => [nameOf(way), JSON.stringify(way)]));
    for (const way of ways) expect(wayOf.get(nameOf(way))).toBe(JSON.stringify(way));
    expect(new Set(ways.map((way) => JSON.stringify(way))).size).toBe(wayOf.size);
    expect(nameOf({})).toBe("plain");
    expect(nameOf({ strength: 1.25, standIn: "mean", collapse: true })).toBe("spa-1.25-mean-collapsed");
    expect(nameOf({ cache: "snap-kv:25%,window=16" })).toBe("plain-snap-kv-25pc-window-16");
  });

  it("changes one thing a variant, and names it", () => {
    for (const { way } of VARIANTS) expect(way.strength).toBe(STRENGTH);
    for (const { way } of VARIANTS) expect(Object.keys(way).length).toBeLessThanOrEqual(2);
    expect(new Set(VARIANTS.map(({ name }) => name)).size).toBe(VARIANTS.length);
  });

  it("tunes on the same tasks each time, 18 % of them, and on no others", () => {
    const { tuning, held } = tuningSplit(164);
    // prettier-ignore
    expect(tuning).toEqual([
      15, 20, 31, 36, 37, 42, 44, 50, 51, 71, 72, 75, 82, 84, 87, 88, 90, 91, 96, 100, 103, 108, 113, 117, 121, 130, 133, 145, 149, 151,
    ]);
    expect([...tuning, ...held].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 164 }, (_, index) => index));
  });
});

describe("random spans", () => {
  it("mask as many characters, inside the prompt and apart, and are the same each time", () => {
    const cases = fc.record({
      id: fc.string(),
      begins: fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 9 }),
    });
    fc.assert(
      fc.property(cases, ({ id, begins }) => {
        const anchors = begins.toSorted((a, b) => a - b).map((begin) => ({ begin: 10 * begin, end: 10 * begin + 7 }));
        const given = task(id, "x".repeat(101), anchors);
        const { anchors: shifted } = shiftedAnchors(given);
        expect(shiftedAnchors(given).anchors).toEqual(shifted);
        expect(shifted).not.toEqual(anchors);
        expect(shifted.reduce((sum, { begin, end }) => sum + end - begin, 0)).toBe(7 * anchors.length);
        for (const [index, { begin, end }] of shifted.entries()) {
          expect(begin).toBeGreaterThanOrEqual(shifted[index - 1]?.end ?? 0);
          expect(end).toBeGreaterThan(begin);
          expect(end).toBeLessThanOrEqual(101);
        }
      }),
    );
  });
});

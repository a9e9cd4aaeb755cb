import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { combine } from "./contrast.ts";
import { agreeOnTop, compareExact, klDivergence, logitDifference, mixEmbeddings } from "./exact.ts";

const numbers = (length: number) =>
  fc
    .array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: length, maxLength: length })
    .map((x) => Float32Array.from(x));

describe("mixEmbeddings", () => {
  it("is the token's embedding at 1 and the stand-in's at 0, exactly, and on their line between and beyond", () => {
    fc.assert(
      fc.property(numbers(6), numbers(3), (embeddings, standIn) => {
        const at = (w: number): Float32Array => mixEmbeddings(new Float32Array(6), embeddings, standIn, w);
        expect(at(1)).toEqual(embeddings);
        expect(at(0).map((x) => x + 0)).toEqual(Float32Array.of(...standIn, ...standIn).map((x) => x + 0));
        at(2).forEach((x, i) => expect(x).toBeCloseTo(2 * embeddings[i]! - standIn[i % 3]!, 4));
      }),
    );
  });

  it("may write over its input", () => {
    const own = Float32Array.of(1, 2, 3, 4);
    expect(mixEmbeddings(own, own, [1, 1], 1.5)).toEqual(Float32Array.of(1, 2.5, 4, 5.5));
    expect(own[3]).toBe(5.5);
  });

  it("refuses what does not fit", () => {
    expect(() => mixEmbeddings(new Float32Array(2), [1, 2, 3], [1], 2)).toThrow(
      "3 numbers of embeddings do not fit an output of 2",
    );
    expect(() => mixEmbeddings(new Float32Array(3), [1, 2, 3], [1, 2], 2)).toThrow(
      "a stand-in of 2 numbers does not fit embeddings of 3",
    );
    expect(() => mixEmbeddings(new Float32Array(1), [1], [1], NaN)).toThrow("the strength is NaN");
  });
});

describe("klDivergence", () => {
  it("of one worked example", () => {
    // p = 1/2, 1/2; q = 1/4, 3/4
    expect(klDivergence([0, 0], [0, Math.log(3)])).toBeCloseTo(0.5 * Math.log(2) + 0.5 * Math.log(2 / 3), 12);
    expect(klDivergence([0, -Infinity], [0, 0])).toBeCloseTo(Math.log(2), 12);
    expect(klDivergence([0, 0], [0, -Infinity])).toBe(Infinity);
  });

  it("is 0 for one distribution, whatever the constant, and above 0 for two", () => {
    fc.assert(
      fc.property(numbers(5), numbers(5), (p, q) => {
        expect(
          klDivergence(
            p,
            p.map((x) => x + 3),
          ),
        ).toBeCloseTo(0, 5);
        expect(klDivergence(p, q)).toBeGreaterThanOrEqual(0);
      }),
    );
    expect(() => klDivergence([0], [0, 0])).toThrow("rows of 1 and 2 logits cannot be compared");
  });
});

describe("top-1 and difference", () => {
  it("compare the largest, the lowest of equal ones", () => {
    expect(agreeOnTop([1, 3, 2], [0, 9, 9])).toBe(true);
    expect(agreeOnTop([1, 3, 3], [0, 0, 1])).toBe(false);
  });

  it("do not look at constants, nor at excluded tokens", () => {
    expect(logitDifference([1, 2, 3], [11, 12, 13])).toEqual({ rms: 0, max: 0 });
    expect(logitDifference([1, -1, 7], [0, 0, -Infinity])).toEqual({ rms: 1, max: 1 });
    expect(logitDifference([-Infinity], [0])).toEqual({ rms: 0, max: 0 });
  });
});

describe("compareExact", () => {
  // A model whose logits are a quadratic in the embedding's amplification: f(w) = a + b w + c w²
  const [a, b, c] = [
    [0, 1, 2, 0.5],
    [1, -1, 0.5, 0],
    [0.3, -0.1, 0, -0.2],
  ];
  const f = (w: number): Float32Array => Float32Array.from(a!, (x, i) => x + b![i]! * w + c![i]! * w * w);
  const at = (w: number) => compareExact(combine(f(1), [f(0)], [w]), f(w), w);
  const centred = c!.map((x) => x - c!.reduce((sum, y) => sum + y, 0) / c!.length);
  const rms = Math.sqrt(centred.reduce((sum, x) => sum + x * x, 0) / c!.length);

  it("finds no difference at 0 and 1", () => {
    for (const w of [0, 1]) {
      expect(at(w)).toMatchObject({ isTopEqual: true, curvature: null });
      expect(at(w).kl).toBeCloseTo(0, 10);
      expect(at(w).difference.max).toBeCloseTo(0, 5);
    }
    expect(at(1).secondOrder).toBeNull();
  });

  it("finds a quadratic's coefficient at every strength, and the second-order term as defined", () => {
    for (const w of [-1, 0.5, 1.25, 2, 3]) {
      expect(at(w).curvature).toBeCloseTo(rms, 5);
      expect(at(w).secondOrder).toBeCloseTo((rms * Math.abs(w * (w - 1))) / (w - 1) ** 2, 4);
    }
  });

  it("is the divergence of the exact distribution from the combined", () => {
    const combined = combine(f(1), [f(0)], [2]);
    expect(at(2).kl).toBe(klDivergence(f(2), combined));
    expect(compareExact(combine(combined.slice(), [], []), f(2), 2).difference.rms).toBeCloseTo(
      at(2).difference.rms,
      5,
    );
  });
});

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { argmax, selectTopK, selectMass } from "./ranking.ts";

// Few distinct values, so that ties are common, and tokens that cannot be chosen.
const logitsWithTies = fc.oneof(
  fc.array(fc.constantFrom(-Infinity, -2, 0, 0.5, 1, 3), { minLength: 1, maxLength: 200 }),
  fc.array(fc.float({ noNaN: true, min: -50, max: 50 }), { minLength: 1, maxLength: 200 }),
);

/** What every selection must agree with: all tokens that can be chosen, sorted. */
function sorted(logits: Float32Array): number[] {
  const tokens = [...logits.keys()].filter((token) => logits[token] !== -Infinity);
  return tokens.sort((a, b) => logits[b]! - logits[a]! || a - b);
}

describe("argmax", () => {
  it("takes the lowest of equal tokens", () => {
    expect(argmax(Float32Array.of(1, 3, 2, 3))).toBe(1);
    expect(argmax(Float32Array.of(-0, 0))).toBe(0);
    expect(argmax(Float32Array.of(-Infinity, -5, -Infinity))).toBe(1);
  });

  it("agrees with sorting", () => {
    fc.assert(
      fc.property(logitsWithTies, (list) => {
        const logits = Float32Array.from(list);
        fc.pre(sorted(logits).length > 0);
        expect(argmax(logits)).toBe(sorted(logits)[0]);
      }),
    );
  });

  it("names a logit that is no number, wherever it stands, and an empty choice", () => {
    expect(() => argmax(Float32Array.of(NaN, 1))).toThrow(
      "no token has a probability: of 2 logits that of token 0 is NaN",
    );
    expect(() => argmax(Float32Array.of(5, 1, NaN))).toThrow(
      "no token has a probability: of 3 logits that of token 2 is NaN",
    );
    expect(() => argmax(Float32Array.of(5, Infinity))).toThrow(
      "no token has a probability: of 2 logits that of token 1 is Infinity",
    );
    expect(() => argmax(Float32Array.of(-Infinity, -Infinity))).toThrow("of 2 logits all are -Infinity");
  });
});

describe("selectTopK", () => {
  it("agrees with sorting for every k", () => {
    fc.assert(
      fc.property(logitsWithTies, fc.integer({ min: 1, max: 220 }), (list, k) => {
        const logits = Float32Array.from(list);
        const out = new Uint32Array(k);
        const count = selectTopK(logits, k, out);
        expect([...out.subarray(0, count)]).toEqual(sorted(logits).slice(0, k));
      }),
      { numRuns: 500 },
    );
  });

  it("names NaN even where the heap is full of larger ones, and refuses a k that does not fit", () => {
    expect(() => selectTopK(Float32Array.of(9, 8, NaN), 2, new Uint32Array(2))).toThrow(
      "no token has a probability: of 3 logits that of token 2 is NaN",
    );
    expect(() => selectTopK(Float32Array.of(9, Infinity), 1, new Uint32Array(1))).toThrow(
      "no token has a probability: of 2 logits that of token 1 is Infinity",
    );
    expect(() => selectTopK(Float32Array.of(9), 2, new Uint32Array(1))).toThrow("2 tokens into an array of 1");
    expect(() => selectTopK(Float32Array.of(9), 0, new Uint32Array(1))).toThrow(RangeError);
  });
});

describe("selectMass", () => {
  it("finds the smallest leading set with the mass, whatever order the tokens come in", () => {
    fc.assert(
      fc.property(logitsWithTies, fc.integer({ min: 1, max: 1000 }), fc.infiniteStream(fc.nat()), (list, part, any) => {
        const logits = Float32Array.from(list);
        const order = sorted(logits);
        fc.pre(order.length > 0);
        // Whole weights, so that sums are exact in any order. Zero weights are allowed.
        const weights = Float64Array.from(logits, (x) => (x === -Infinity ? 0 : Math.max(0, Math.floor(x * 3) + 4)));
        const total = order.reduce((sum, token) => sum + weights[token]!, 0);
        fc.pre(total > 0);
        const mass = (total * part) / 1000;
        const keys = new Map(order.map((token) => [token, any.next().value]));
        const tokens = Uint32Array.from([...order].sort((a, b) => keys.get(a)! - keys.get(b)!));

        const kept = selectMass(logits, weights, tokens, tokens.length, mass);

        let wanted = 0;
        for (let sum = 0; sum < mass; wanted++) sum += weights[order[wanted]!]!;
        expect(kept).toBe(wanted);
        expect([...tokens.subarray(0, kept)].sort((a, b) => a - b)).toEqual(
          order.slice(0, wanted).sort((a, b) => a - b),
        );
        expect(tokens[kept - 1]).toBe(order[wanted - 1]);
        expect([...tokens].sort((a, b) => a - b)).toEqual([...order].sort((a, b) => a - b));
      }),
      { numRuns: 500 },
    );
  });

  it("keeps all when there is less than the mass", () => {
    const tokens = Uint32Array.of(0, 1, 2);
    expect(selectMass(Float32Array.of(1, 2, 3), Float64Array.of(1, 1, 1), tokens, 3, 10)).toBe(3);
    expect(tokens[2]).toBe(0);
  });

  it("takes linear time on 200,000 equal, rising and falling logits", () => {
    const size = 200_000;
    const weights = new Float64Array(size).fill(1);
    for (const make of [() => 1, (i: number) => i, (i: number) => -i]) {
      const logits = Float32Array.from({ length: size }, (_, i) => make(i));
      const begin = performance.now();
      expect(selectMass(logits, weights, Uint32Array.from(logits.keys()), size, size / 2)).toBe(size / 2);
      // Quadratic would be minutes.
      expect(performance.now() - begin).toBeLessThan(2000);
    }
  });
});

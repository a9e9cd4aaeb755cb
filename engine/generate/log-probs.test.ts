import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { logProbOf, logSumExp } from "./log-probs.ts";
import { score } from "./score.ts";

describe("logProbOf", () => {
  it("is the log-softmax, by hand", () => {
    // Probabilities 1/8, 4/8, 3/8.
    const logits = Float32Array.of(Math.log(1), Math.log(4), Math.log(3));
    const { token, logProb, alternatives } = logProbOf(logits, 0, 2);
    expect(token).toBe(0);
    expect(logProb).toBeCloseTo(Math.log(1 / 8), 6);
    expect(alternatives.map((a) => a.token)).toEqual([1, 2]);
    expect(alternatives[0]!.logProb).toBeCloseTo(Math.log(4 / 8), 6);
    expect(alternatives[1]!.logProb).toBeCloseTo(Math.log(3 / 8), 6);
    expect(logProbOf(logits, 0).alternatives).toEqual([]);
  });

  it("sums to 1 over the vocabulary and does not see a shift, even a large one", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -60, max: 60 }), { minLength: 1, maxLength: 80 }), (list) => {
        const logits = Float32Array.from(list);
        const shifted = logits.map((x) => x + 4096);
        let sum = 0;
        for (const token of logits.keys()) {
          const { logProb } = logProbOf(logits, token);
          expect(logProb).toBeLessThanOrEqual(0);
          expect(logProbOf(shifted, token).logProb).toBeCloseTo(logProb, 9);
          sum += Math.exp(logProb);
        }
        expect(sum).toBeCloseTo(1, 12);
      }),
    );
  });

  it("sums in f64: a million small terms beside a large one", () => {
    const logits = new Float32Array(1_000_001).fill(-17);
    logits[0] = 0;
    // In f32, 1 + exp(-17) is 1 and the sum would stay there.
    expect(logSumExp(logits)).toBeCloseTo(Math.log1p(1e6 * Math.exp(-17)), 9);
  });

  it("gives no alternatives of probability 0, and the lower of equal tokens first", () => {
    const logits = Float32Array.of(-Infinity, 1, 1, -Infinity);
    const { logProb, alternatives } = logProbOf(logits, 0, 4);
    expect(logProb).toBe(-Infinity);
    expect(alternatives.map((a) => a.token)).toEqual([1, 2]);
    for (const each of alternatives) expect(each.logProb).toBeCloseTo(-Math.log(2), 12);
  });

  it("refuses what is out of range", () => {
    const logits = Float32Array.of(0, 1);
    expect(() => logProbOf(logits, 2)).toThrow("token 2 is not one of the 2 of the vocabulary");
    expect(() => logProbOf(logits, 0, 3)).toThrow(
      "logProbs is 3: it must be a whole number of alternatives from 0 to 2",
    );
    expect(() => logProbOf(Float32Array.of(0, NaN), 0)).toThrow(
      "no token has a probability: of 2 logits that of token 1 is NaN",
    );
  });
});

describe("score", () => {
  it("adds up, by hand", () => {
    const result = score([Math.log(0.5), Math.log(0.25)]);
    expect(result.totalLogProb).toBeCloseTo(Math.log(0.125), 12);
    expect(result.perplexity).toBeCloseTo(Math.sqrt(8), 12);
    expect(result.tokens).toBe(2);
    expect(result.logProbs).toEqual([Math.log(0.5), Math.log(0.25)]);
  });

  it("has the vocabulary's size as the perplexity of a uniform model, for any length", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: 500 }), (size, tokens) => {
        const { perplexity } = score(new Float64Array(tokens).fill(-Math.log(size)));
        expect(perplexity / size).toBeCloseTo(1, 9);
      }),
    );
  });

  it("is infinitely surprised by a token of probability 0", () => {
    expect(score(Float32Array.of(-1, -Infinity))).toMatchObject({ totalLogProb: -Infinity, perplexity: Infinity });
  });

  it("takes the rounding of an f32 log-softmax and nothing more", () => {
    expect(score([1e-7]).tokens).toBe(1);
    expect(() => score([-1, 0.5])).toThrow("log-probability 1 of 2 is 0.5: it must be at most 0");
    expect(() => score([NaN])).toThrow("no token has a probability after 1 of 2 tokens");
    expect(() => score([])).toThrow("there are 0 log-probabilities to score");
  });
});

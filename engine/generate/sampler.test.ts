import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRandom } from "./random.ts";
import { countGenerated, countPrompt, Sampler, type SamplingOptions } from "./sampler.ts";

/** Logits whose softmax at temperature 1 is in the given proportion. */
function proportions(...weights: number[]): Float32Array {
  return Float32Array.from(weights, Math.log);
}

/** All tokens that a sampler gives for 1000 evenly spread random numbers. */
function reachable(logits: Float32Array, options: SamplingOptions): number[] {
  const sampler = new Sampler(logits.length, options);
  const tokens = new Set<number>();
  for (let i = 0; i < 1000; i++) tokens.add(sampler.pick(logits, () => i / 1000));
  return [...tokens].sort((a, b) => a - b);
}

function adjusted(
  logits: readonly number[],
  options: SamplingOptions,
  prompt: number[],
  generated: number[],
): number[] {
  const counts = countPrompt(prompt);
  for (const token of generated) countGenerated(counts, token);
  const out = Float32Array.from(logits);
  new Sampler(out.length, options).adjust(out, counts);
  return [...out];
}

type Filters = Record<"temperature" | "topK" | "topP" | "minP", number>;

function normalised(list: readonly number[]): number[] {
  const sum = list.reduce((a, b) => a + b);
  return list.map((x) => x / sum);
}

/** For what must not draw. */
function noRandom(): number {
  throw new Error("a random number was drawn");
}

/** The definition, slowly: filters one after the other over sorted tokens, each renormalising what is left. */
function keptByDefinition(logits: Float32Array, options: Filters) {
  const largest = Math.max(...logits);
  const weight = (token: number) => Math.exp((logits[token]! - largest) / options.temperature);
  let kept = [...logits.keys()].filter((token) => weight(token) > 0);
  kept.sort((a, b) => logits[b]! - logits[a]! || a - b);
  if (options.topK > 0) kept = kept.slice(0, options.topK);
  const total = kept.reduce((sum, token) => sum + weight(token), 0);
  let isClose = false;
  if (options.topP < 1) {
    let mass = 0;
    let count = 0;
    for (; count < kept.length && mass < options.topP; count++) mass += weight(kept[count]!) / total;
    // Sums in another order may fall on the other side of topP: such cases say nothing.
    let sum = 0;
    for (const token of kept) isClose ||= Math.abs((sum += weight(token) / total) - options.topP) < 1e-9;
    kept = kept.slice(0, count);
  }
  isClose ||= kept.some((token) => Math.abs(weight(token) - options.minP) < 1e-12 && options.minP < 1);
  kept = kept.filter((token) => weight(token) >= options.minP);
  return { kept: kept.sort((a, b) => a - b), weight, isClose };
}

const anyLogits = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.float({ min: -8, max: 8, noNaN: true }) },
      { weight: 2, arbitrary: fc.constantFrom(0, 1, 2) },
      { weight: 1, arbitrary: fc.constant(-Infinity) },
    ),
    { minLength: 1, maxLength: 120 },
  )
  .map((list) => Float32Array.from(list))
  .filter((logits) => logits.some((x) => x > -Infinity));

const anyFilters = fc.record({
  temperature: fc.double({ min: 0.05, max: 5, noNaN: true }),
  topK: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 130 })),
  topP: fc.oneof(fc.constant(1), fc.double({ min: 0.01, max: 0.999, noNaN: true })),
  minP: fc.oneof(fc.constant(0), fc.double({ min: 0.001, max: 1, noNaN: true })),
});

describe("greedy", () => {
  it("takes the largest logit, the lower token of equal ones, and no random number", () => {
    const sampler = new Sampler(4);
    expect(sampler.pick(Float32Array.of(0, 2, 1, 2), noRandom)).toBe(1);
    expect(sampler.isGreedy).toBe(true);
  });

  it("is what a low temperature, topK 1, a small topP and minP 1 come to", () => {
    fc.assert(
      fc.property(anyLogits, fc.double({ min: 0, max: 0.999999, noNaN: true }), (logits, u) => {
        const best = new Sampler(logits.length).pick(logits, () => 0);
        const pick = (options: SamplingOptions) => new Sampler(logits.length, options).pick(logits, () => u);
        expect(pick({ temperature: 1, topK: 1 })).toBe(best);
        expect(pick({ temperature: 1, topP: 1e-9 })).toBe(best);
        const top = logits[best]!;
        // Here any of the equal ones may come; logits less than an ulp of 1 apart weigh the same.
        expect(logits[pick({ temperature: 5e-324 })]).toBe(top);
        expect(logits[pick({ temperature: 0.01, minP: 1 })]).toBeCloseTo(top, 12);
      }),
    );
  });
});

describe("filters, by hand", () => {
  const logits = proportions(0.1, 0.4, 0.2, 0.3); // in order: tokens 1, 3, 2, 0

  it.each<[SamplingOptions, number[]]>([
    [{}, [0, 1, 2, 3]],
    [{ topK: 1 }, [1]],
    [{ topK: 2 }, [1, 3]],
    [{ topK: 9 }, [0, 1, 2, 3]],
    [{ topP: 0.39 }, [1]],
    [{ topP: 0.41 }, [1, 3]],
    [{ topP: 0.69 }, [1, 3]],
    [{ topP: 0.71 }, [1, 2, 3]],
    [{ minP: 0.7 }, [1, 3]],
    [{ minP: 0.76 }, [1]],
    [{ minP: 0.26 }, [1, 2, 3]],
    // Of tokens 1 and 3, renormalised, the first has 4/7 = 0.571.
    [{ topK: 2, topP: 0.56 }, [1]],
    [{ topK: 2, topP: 0.58 }, [1, 3]],
    // topP sees the probabilities before minP removes any.
    [{ topP: 0.71, minP: 0.6 }, [1, 3]],
    [{ topP: 0.39, minP: 0.01 }, [1]],
  ])("%j keeps %j", (options, kept) => {
    expect(reachable(logits, { temperature: 1, ...options })).toEqual(kept);
  });

  it("applies temperature before topP and minP", () => {
    // At temperature 0.5 the proportions are squared: 1, 16, 4, 9 of 30.
    expect(reachable(logits, { temperature: 0.5, topP: 0.52 })).toEqual([1]);
    expect(reachable(logits, { temperature: 1, topP: 0.52 })).toEqual([1, 3]);
    expect(reachable(logits, { temperature: 0.5, minP: 0.6 })).toEqual([1]);
    // At temperature 2 their roots: 0.316, 0.632, 0.447, 0.548 of 1.943.
    expect(reachable(logits, { temperature: 2, topP: 0.6 })).toEqual([1, 3]);
    expect(reachable(logits, { temperature: 2, topP: 0.62 })).toEqual([1, 2, 3]);
  });

  it("prefers the lower of equal tokens at every border", () => {
    const equal = new Float32Array(8);
    expect(reachable(equal, { temperature: 1, topK: 3 })).toEqual([0, 1, 2]);
    expect(reachable(equal, { temperature: 1, topP: 0.5 })).toEqual([0, 1, 2, 3]);
    expect(reachable(equal, { temperature: 1, topK: 6, topP: 0.5 })).toEqual([0, 1, 2]);
    expect(reachable(equal, { temperature: 1, topK: 3, minP: 1 })).toEqual([0, 1, 2]);
    expect(reachable(equal, { temperature: 1, minP: 1 })).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it("gives each token its half-open share, and none to one of probability 0, at either end", () => {
    const halves = Float32Array.of(-Infinity, 1, -2000, 1, -2000, -Infinity);
    for (const options of [{}, { topK: 5 }, { topP: 0.99 }]) {
      const sampler = new Sampler(6, { temperature: 1, ...options });
      const tokens = [0, 0.5 - 2 ** -53, 0.5, 1 - 2 ** -53, 1].map((u) => sampler.pick(halves, () => u));
      expect(tokens).toEqual([1, 1, 3, 3, 3]);
    }
  });

  it("walks the tokens that stay in the order of the vocabulary", () => {
    const sampler = new Sampler(4, { temperature: 1 });
    const pick = (u: number) => sampler.pick(logits, () => u);
    expect([0, 0.099, 0.101, 0.499, 0.501, 0.699, 0.701, 1 - 2 ** -53].map(pick)).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
  });
});

describe("filters, by definition", () => {
  it("draws the token that the definition draws", () => {
    fc.assert(
      fc.property(anyLogits, anyFilters, fc.double({ min: 0, max: 0.999999, noNaN: true }), (logits, filters, u) => {
        const { kept, weight, isClose } = keptByDefinition(logits, filters);
        fc.pre(!isClose);
        const total = kept.reduce((sum, token) => sum + weight(token), 0);
        let passed = 0;
        const wanted = kept.find((token) => (passed += weight(token)) > u * total);
        fc.pre(kept.length > 0 && Math.abs(passed - u * total) > 1e-12);
        expect(new Sampler(logits.length, filters).pick(logits, () => u)).toBe(wanted);
      }),
      { numRuns: 2000 },
    );
  });

  it("topP keeps the smallest set with its mass; minP and topK keep what they say", () => {
    fc.assert(
      fc.property(anyLogits, anyFilters, (logits, filters) => {
        const sampler = new Sampler(logits.length, filters);
        const random = createRandom(1);
        const { kept } = keptByDefinition(logits, { ...filters, topP: 1, minP: 0 });
        const { weight } = keptByDefinition(logits, filters);
        const total = kept.reduce((sum, token) => sum + weight(token), 0);
        for (let i = 0; i < 20; i++) {
          const token = sampler.pick(logits, random);
          const ahead = kept.filter((t) => logits[t]! > logits[token]! || (logits[t] === logits[token] && t < token));
          const mass = ahead.reduce((sum, t) => sum + weight(t), 0) / total;
          if (filters.topK > 0) expect(ahead.length).toBeLessThan(filters.topK);
          expect(mass).toBeLessThan(filters.topP + 1e-9);
          expect(weight(token)).toBeGreaterThanOrEqual(filters.minP - 1e-12);
          expect(weight(token)).toBeGreaterThan(0);
        }
      }),
    );
  });

  it("leaves the logits as they are, and the scratch of one draw does not reach the next", () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: -9, max: 9, noNaN: true }), { minLength: 30, maxLength: 30 }),
        anyFilters,
        (list, filters) => {
          const logits = Float32Array.from(list);
          const other = Float32Array.from(list, (x) => -x);
          const used = new Sampler(30, filters);
          used.pick(other, () => 0.3);
          const token = used.pick(logits, () => 0.7);
          expect(token).toBe(new Sampler(30, filters).pick(logits, () => 0.7));
          expect([...logits]).toEqual([...Float32Array.from(list)]);
        },
      ),
    );
  });
});

describe("frequencies", () => {
  const weights = [1, 2, 3, 4, 10, 0.5, 0, 5];

  /** Pearson's statistic of n draws against the given probabilities. */
  function chiSquare(options: SamplingOptions, probabilities: readonly number[]): number {
    const n = 20_000;
    const sampler = new Sampler(weights.length, options);
    const random = createRandom(2024);
    const logits = proportions(...weights);
    const counts = weights.map(() => 0);
    for (let i = 0; i < n; i++) counts[sampler.pick(logits, random)]! += 1;
    let statistic = 0;
    for (const [token, probability] of probabilities.entries()) {
      if (probability === 0) expect(counts[token]).toBe(0);
      else statistic += (counts[token]! - n * probability) ** 2 / (n * probability);
    }
    return statistic;
  }

  // 99.9 % of true samples stay below these.
  const limit = { 3: 16.3, 6: 22.5 };

  it("follow the softmax", () => {
    expect(chiSquare({ temperature: 1 }, normalised(weights))).toBeLessThan(limit[6]);
  });
  it("follow the temperature", () => {
    expect(chiSquare({ temperature: 2 }, normalised(weights.map(Math.sqrt)))).toBeLessThan(limit[6]);
    expect(chiSquare({ temperature: 2 }, normalised(weights))).toBeGreaterThan(limit[6]);
  });
  it("are renormalised by topK and topP", () => {
    const four = [0, 0, 3, 4, 10, 0, 0, 5];
    expect(chiSquare({ temperature: 1, topK: 4 }, normalised(four))).toBeLessThan(limit[3]);
    expect(chiSquare({ temperature: 1, topP: 0.8 }, normalised(four))).toBeLessThan(limit[3]);
    expect(chiSquare({ temperature: 1, minP: 0.25 }, normalised(four))).toBeLessThan(limit[3]);
  });
});

describe("adjust", () => {
  it("divides positive and multiplies negative logits of seen tokens by repetitionPenalty, once", () => {
    const options = { repetitionPenalty: 2 };
    expect(adjusted([4, -4, 4, -4, 0], options, [0, 0, 1], [4, 4])).toEqual([2, -8, 4, -4, 0]);
    expect(adjusted([4, -4], { repetitionPenalty: 0.5 }, [0], [1])).toEqual([8, -2]);
  });

  it("subtracts frequencyPenalty for each time, presencePenalty once, for generated tokens only", () => {
    expect(adjusted([1, 1, 1], { frequencyPenalty: 0.5 }, [0, 0, 1], [1, 2, 2, 2])).toEqual([1, 0.5, -0.5]);
    expect(adjusted([1, 1, 1], { presencePenalty: 0.5 }, [0, 0, 1], [1, 2, 2, 2])).toEqual([1, 0.5, 0.5]);
    expect(adjusted([1, 1], { frequencyPenalty: -1, presencePenalty: 3 }, [], [1, 1])).toEqual([1, 0]);
  });

  it("adds the bias first, then repetition, then frequency and presence", () => {
    const options = { logitBias: { 0: -6 }, repetitionPenalty: 2, frequencyPenalty: 1, presencePenalty: 0.5 };
    // (2 - 6) * 2 - 2 * 1 - 0.5
    expect(adjusted([2, 2], options, [], [0, 0])).toEqual([-10.5, 2]);
    expect(adjusted([2, 2], { logitBias: new Map([[1, 3]]) }, [], [])).toEqual([2, 5]);
  });

  it("can forbid and force tokens", () => {
    const forbid = new Sampler(3, { temperature: 1, logitBias: { 1: -Infinity }, repetitionPenalty: 1.5 });
    const logits = Float32Array.of(0, 50, 0);
    forbid.adjust(logits, countPrompt([1]));
    for (let i = 0; i < 100; i++) expect(forbid.pick(logits, () => i / 100)).not.toBe(1);
    const force = new Sampler(3, { logitBias: { 2: 100 } });
    const even = Float32Array.of(0, 0, 0);
    force.adjust(even, new Map());
    expect(force.pick(even, () => 0)).toBe(2);
  });

  it("says whether it does anything", () => {
    expect(new Sampler(3, { temperature: 1, topK: 5, repetitionPenalty: 1, logitBias: {} }).adjusts).toBe(false);
    expect(new Sampler(3, { logitBias: { 0: 1 } })).toMatchObject({ adjusts: true, needsCounts: false });
    for (const option of ["repetitionPenalty", "frequencyPenalty", "presencePenalty"]) {
      expect(new Sampler(3, { [option]: 0.5 })).toMatchObject({ adjusts: true, needsCounts: true });
    }
  });
});

describe("errors", () => {
  it.each<[SamplingOptions, string]>([
    [{ temperature: -0.1 }, "temperature is -0.1: it must be a finite number of at least 0"],
    [{ temperature: NaN }, "temperature is NaN"],
    [{ temperature: Infinity }, "temperature is Infinity"],
    [{ topK: -1 }, "topK is -1: it must be a whole number of at least 0"],
    [{ topK: 1.5 }, "topK is 1.5"],
    [{ topP: 0 }, "topP is 0: it must be above 0 and at most 1"],
    [{ topP: 1.01 }, "topP is 1.01"],
    [{ topP: NaN }, "topP is NaN"],
    [{ minP: -0.1 }, "minP is -0.1: it must be from 0 to 1"],
    [{ minP: 2 }, "minP is 2"],
    [{ minP: NaN }, "minP is NaN"],
    [{ repetitionPenalty: 0 }, "repetitionPenalty is 0: it must be a finite number above 0"],
    [{ repetitionPenalty: Infinity }, "repetitionPenalty is Infinity"],
    [{ frequencyPenalty: NaN }, "frequencyPenalty is NaN: it must be a finite number"],
    [{ presencePenalty: -Infinity }, "presencePenalty is -Infinity"],
    [{ logitBias: { 10: 1 } }, "a token of logitBias is 10: it must be a whole number below 10"],
    [{ logitBias: new Map([[-1, 1]]) }, "a token of logitBias is -1"],
    [{ logitBias: { 3: NaN } }, "logitBias of token 3 is NaN: it must be finite or -Infinity"],
    [{ logitBias: { 3: Infinity } }, "logitBias of token 3 is Infinity"],
  ])("refuses %j", (options, message) => {
    const make = () => new Sampler(10, options);
    expect(make).toThrow(RangeError);
    expect(make).toThrow(message);
  });

  it.each<SamplingOptions>([{}, { temperature: 1 }, { temperature: 1, topK: 1 }, { temperature: 1, topP: 0.1 }])(
    "names a logit that is no number with %j",
    (options) => {
      const sampler = new Sampler(3, options);
      expect(() => sampler.pick(Float32Array.of(1, 0, NaN), () => 0)).toThrow(
        "no token has a probability: of 3 logits that of token 2 is NaN",
      );
      expect(() => sampler.pick(new Float32Array(3).fill(-Infinity), () => 0)).toThrow("of 3 logits all are -Infinity");
      expect(() => sampler.pick(new Float32Array(4), () => 0)).toThrow("4 logits for a vocabulary of 3");
    },
  );
});

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pastaBias, spanShare, spotlightBias, steerWeights } from "./steering.ts";

const positions = [0, 1, 2, 5, 6];
const spans = [{ begin: 1, end: 3 }];

describe("PASTA", () => {
  it("weighs down the prompt's keys outside the spans, for the chosen heads", () => {
    const bias = pastaBias({ positions, spans, heads: 3, promptLength: 6, chosenHeads: [2] });
    const low = Math.fround(Math.log(0.01));
    expect([...bias.keys]).toEqual([low, 0, 0, low, 0]);
    expect([...bias.heads]).toEqual([0, 0, 1]);
    expect([...pastaBias({ positions, spans, heads: 2, promptLength: 6, alpha: 1 }).keys]).toEqual([0, 0, 0, 0, 0]);
    expect([...pastaBias({ positions, spans, heads: 2, promptLength: 6 }).heads]).toEqual([1, 1]);
  });

  it("is the scaling of weights by alpha and normalising anew", () => {
    const weights = [0.4, 0.1, 0.1, 0.3, 0.1];
    const bias = pastaBias({ positions, spans, heads: 1, promptLength: 6, alpha: 0.1 });
    const total = 0.04 + 0.1 + 0.1 + 0.03 + 0.1;
    for (const [key, weight] of [0.04, 0.1, 0.1, 0.03, 0.1].entries()) {
      expect(steerWeights(weights, bias, 0)[key]).toBeCloseTo(weight / total, 6);
    }
  });
});

describe("SpotLight", () => {
  it("raises the spans' keys in heads below the target only", () => {
    const bias = spotlightBias({ positions, spans, heads: 3, shares: [0.1, 0.3, 0.9], target: 0.3 });
    expect([...bias.keys]).toEqual([0, 1, 1, 0, 0]);
    expect([...bias.heads]).toEqual([Math.fround(Math.log(3)), 0, 0]);
  });

  it("brings the share to target / (1 + target - share), or to the target if exact", () => {
    const row = fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(row, fc.double({ min: 0.05, max: 0.95, noNaN: true }), fc.boolean(), (raw, target, isExact) => {
        const total = raw.reduce((sum, weight) => sum + weight, 0);
        const weights = raw.map((weight) => weight / total);
        const share = spanShare(weights, positions, spans);
        const bias = spotlightBias({ positions, spans, heads: 1, shares: [share], target, isExact });
        const steered = spanShare(steerWeights(weights, bias, 0), positions, spans);
        const expected = share >= target ? share : isExact ? target : target / (1 + target - share);
        expect(steered).toBeCloseTo(expected, 5);
      }),
    );
  });

  it("has a largest bias, for shares near 0", () => {
    const unseen = { positions, spans, heads: 1, shares: [0], target: 0.5 };
    expect(spotlightBias(unseen).heads[0]).toBe(16);
    expect(spotlightBias({ ...unseen, maxBias: 2 }).heads[0]).toBe(2);
  });
});

describe("the share of spans", () => {
  it("counts half-open spans by position, each key once", () => {
    expect(spanShare([1, 2, 3, 4, 0], positions, spans)).toBe(0.5);
    expect(spanShare([1, 2, 3, 4, 0], positions, [...spans, { begin: 2, end: 6 }])).toBe(0.9);
    expect(spanShare([1, 2, 3, 4, 0], positions, [{ begin: 2, end: 5 }])).toBe(0.3);
    expect(spanShare([0, 0], [0, 1], spans)).toBe(0);
  });
});

describe("steering refuses", () => {
  const keys = { positions, spans, heads: 2 };
  const even = { keys: new Float32Array(5), heads: new Float32Array(2) };
  it.each<[string, () => unknown, string]>([
    ["an alpha of 0", () => pastaBias({ ...keys, promptLength: 6, alpha: 0 }), "above 0 and at most 1; it is 0"],
    ["an alpha above 1", () => pastaBias({ ...keys, promptLength: 6, alpha: 2 }), "it is 2"],
    [
      "a head that is not there",
      () => pastaBias({ ...keys, promptLength: 6, chosenHeads: [2] }),
      "head 2 is not in a layer with 2",
    ],
    [
      "a span that ends first",
      () => pastaBias({ ...keys, spans: [{ begin: 3, end: 2 }], promptLength: 6 }),
      "it is 3..2",
    ],
    ["a target of 1", () => spotlightBias({ ...keys, shares: [0, 0], target: 1 }), "between 0 and 1; it is 1"],
    ["shares of other heads", () => spotlightBias({ ...keys, shares: [0], target: 0.5 }), "2 heads; the shares of 1"],
    [
      "a share above 1",
      () => spotlightBias({ ...keys, shares: [0, 2], target: 0.5 }),
      "head 1 must be within 0..1; it is 2",
    ],
    ["a share that is no number", () => spotlightBias({ ...keys, shares: [0, NaN], target: 0.5 }), "it is NaN"],
    ["weights without positions", () => spanShare([1], positions, spans), "1 weights and 5 positions"],
    ["a bias of other keys", () => steerWeights([1], even, 0), "1 weights and the bias 5 keys"],
    ["a bias without the head", () => steerWeights([1, 0, 0, 0, 0], even, 2), "head 2 is not among the 2"],
  ])("%s", (_, steer, message) => {
    expect(steer).toThrow(RangeError);
    expect(steer).toThrow(message);
  });
});

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byNeglect, checkStrength, createShareMeter, needsMaskedRows, needsShares, strengthsAt } from "./strength.ts";

const mean = (values: number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
const share = (recent: number, fair = 0.25) => ({ total: recent, recent, fair });
const stepOf = (...shares: ReturnType<typeof share>[]) => ({ generated: 5, probabilities: [1], shares });

describe("needsMaskedRows", () => {
  it("skips the constant 1, which is the default", () => {
    const groups = [{ strength: 1 }, { strength: 1.25 }, { strength: 0 }, { strength: () => 1 }, {}];
    expect(needsMaskedRows(groups)).toEqual([false, true, true, true, false]);
    expect(() => needsMaskedRows([{}, { strength: NaN }])).toThrow("the strength of group 1 is NaN");
  });
});

describe("checkStrength", () => {
  it.each([Infinity, NaN, "1", null, undefined])("refuses %s", (strength) => {
    expect(() => checkStrength(strength, "the run")).toThrow(RangeError);
  });
});

describe("strengthsAt", () => {
  it("asks functions, each for its own group, and looks at the step only for them", () => {
    let looks = 0;
    const step = () => {
      looks++;
      return stepOf(share(0), share(1));
    };
    const out: number[] = [];
    expect(strengthsAt([1.5, 2], out, step)).toBe(out);
    expect([out, looks]).toEqual([[1.5, 2], 0]);
    strengthsAt(
      [1.5, ({ group, generated }) => group * 10 + generated, ({ probabilities }) => probabilities[0]!],
      out,
      step,
    );
    expect([out, looks]).toEqual([[1.5, 15, 1], 1]);
  });

  it("refuses what is no number", () => {
    expect(() => strengthsAt([() => NaN], [], () => stepOf())).toThrow(
      "the strength function of group 0 returned NaN after 5 tokens: it must return a finite number",
    );
  });
});

describe("byNeglect", () => {
  const rule = byNeglect({ strength: 1.6 });
  const at = (recent: number, of = rule, fair = 0.25): number => of({ ...stepOf(share(recent, fair)), group: 0 });

  it("falls from its strength to 1 at the fair share", () => {
    expect(at(0)).toBeCloseTo(1.6, 12);
    expect(at(0.125)).toBeCloseTo(1.3, 12);
    expect(at(0.25)).toBe(1);
    expect(at(0.9)).toBe(1);
  });

  it("has a floor, and an attention that is enough", () => {
    const other = byNeglect({ strength: 1.5, floor: 0.5, enough: 0.4 });
    expect(at(0, other)).toBeCloseTo(1.5, 12);
    expect(at(0.05, other)).toBeCloseTo(1, 12);
    expect(at(0.1, other)).toBeCloseTo(0.5, 12);
  });

  it("never leaves the range from floor to strength, and never rises with attention", () => {
    const number = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(number, number, number, (a, b, fair) => {
        const [more, less] = [at(Math.max(a, b), rule, fair), at(Math.min(a, b), rule, fair)];
        expect(more).toBeLessThanOrEqual(less);
        expect(more).toBeGreaterThanOrEqual(1);
        expect(less).toBeLessThanOrEqual(1.6);
      }),
    );
  });

  it("asks for shares, and refuses to do without", () => {
    expect(needsShares([1.2, rule])).toBe(true);
    expect(needsShares([1.2, () => 1])).toBe(false);
    expect(() => rule({ generated: 0, probabilities: [], group: 2 })).toThrow(
      "byNeglect needs the share of attention of group 2",
    );
    expect(() => byNeglect({ strength: NaN })).toThrow("its strength is NaN");
    expect(() => byNeglect({ strength: 1, enough: 0 })).toThrow('its "enough" is 0');
  });
});

describe("createShareMeter", () => {
  const groups = [{ tokens: [{ begin: 1, end: 3 }] }, { tokens: [{ begin: 4, end: 5 }] }];

  it("is fair before the first query", () => {
    const { shares } = createShareMeter({ groups, promptTokens: 8 });
    expect(shares).toEqual([
      { total: 0.25, recent: 0.25, fair: 0.25 },
      { total: 0.125, recent: 0.125, fair: 0.125 },
    ]);
  });

  it("counts shares of the prompt's attention: all of it, and lately", () => {
    const meter = createShareMeter({ groups, promptTokens: 5, window: 2 });
    meter.add([0, 0.2, 0, 0, 0.2, 0.6]); // of the prompt's 0.4: one half each; the last key is a generated token
    expect(meter.shares.map(({ recent, total }) => [recent, total])).toEqual([
      [0.5, 0.5],
      [0.5, 0.5],
    ]);
    meter.add([1, 0, 0, 0, 0, 0, 0]);
    meter.add([0, 0.5, 0.5, 0, 0, 0, 0, 0]);
    expect(meter.shares[0]!.recent).toBeCloseTo(0.5, 12);
    expect(meter.shares[0]!.total).toBeCloseTo(0.5, 12);
    expect(meter.shares[1]!.recent).toBe(0);
    expect(meter.shares[1]!.total).toBeCloseTo(1 / 6, 12);
  });

  it("leaves out queries that see nothing of the prompt", () => {
    const meter = createShareMeter({ groups: [{ tokens: [{ begin: 0, end: 2 }] }], promptTokens: 5 });
    expect(meter.shares[0]!.fair).toBe(0.4);
    meter.add([0.25, 0.25, 0, 0.5, 0]);
    meter.add([0, 0, 0, 0, 0, 1]);
    expect(meter.shares[0]!.recent).toBe(0.5);
    expect(meter.shares[0]!.total).toBe(0.5);
  });

  it("equals the mean over any history", () => {
    const attention = fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(
        fc.array(attention, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        (queries, window) => {
          const meter = createShareMeter({ groups, promptTokens: 5, window });
          const own = queries.map((a) => (a[1]! + a[2]!) / (a[0]! + a[1]! + a[2]! + a[3]! + a[4]!));
          for (const query of queries) meter.add(query);
          expect(meter.shares[0]!.total).toBeCloseTo(mean(own), 10);
          expect(meter.shares[0]!.recent).toBeCloseTo(mean(own.slice(-window)), 10);
        },
      ),
    );
  });

  it("refuses what does not fit", () => {
    expect(() => createShareMeter({ groups, promptTokens: 4 })).toThrow("group 1 has tokens 4..5; the prompt has 4");
    expect(() => createShareMeter({ groups, promptTokens: 8, window: 0 })).toThrow("the window of recent queries is 0");
    expect(() => createShareMeter({ groups, promptTokens: 8 }).add([1])).toThrow("attention over 1 keys");
  });
});

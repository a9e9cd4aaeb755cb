import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { logSumExp } from "../generate/log-probs.ts";
import { combine, contrastStrength, softmax, type Schedule } from "./contrast.ts";

/** Log-probabilities of logits. */
function logSoftmax(logits: Float32Array): Float32Array {
  const whole = logSumExp(logits, "logits");
  return logits.map((x) => x - whole);
}

const SCHEDULES: readonly Schedule[] = ["constant", "probability", "growing", "confidence"];

/** Rows of logits of one length: the plain one and the masked ones. */
const rows = (groups: number) =>
  fc.integer({ min: 1, max: 40 }).chain((length) =>
    fc.array(
      fc
        .array(fc.double({ min: -30, max: 30, noNaN: true }), { minLength: length, maxLength: length })
        .map((row) => Float32Array.from(row)),
      { minLength: groups + 1, maxLength: groups + 1 },
    ),
  );
const row = (...values: number[]): Float32Array => Float32Array.from(values);
const strengths = fc.double({ min: -3, max: 4, noNaN: true });

/** The paper's formula, as it is written there. */
function byFormula(plain: Float32Array, masked: readonly Float32Array[], w: readonly number[]): number[] {
  const l = logs(plain);
  const others = masked.map(logs);
  return l.map((own, token) => others.reduce((sum, other, k) => sum + (w[k]! - 1) * (own - other[token]!), own));
}

function logs(logits: Float32Array): number[] {
  const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
  return Array.from(logits, (logit) => logit - Math.log(sum));
}

function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, scale = 1): void {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; i++) {
    expect(Math.abs(got[i]! - want[i]!)).toBeLessThanOrEqual(1e-5 * scale + 1e-6 * Math.abs(want[i]!));
  }
}

describe("combine", () => {
  it("is the formula, for any number of groups", () => {
    fc.assert(
      fc.property(rows(3), fc.array(strengths, { minLength: 3, maxLength: 3 }), ([plain, ...masked], w) => {
        const want = byFormula(plain!, masked, w);
        expectClose(combine(plain!.slice(), masked, w), want, 20);
      }),
    );
  });

  it("of one worked example", () => {
    // p = 1/2, 1/4, 1/4; masked 1/4, 1/2, 1/4; w = 2: p² / p_mask = 1, 1/8, 1/4
    const plain = Float32Array.of(Math.log(2), 0, 0);
    const masked = Float32Array.of(7, 7 + Math.log(2), 7);
    expectClose(combine(plain, [masked], [2]), [0, Math.log(1 / 8), Math.log(1 / 4)]);
  });

  it.each(SCHEDULES)("changes nothing at strength 1, bit for bit, without masked rows (%s)", (schedule) => {
    fc.assert(
      fc.property(rows(1), fc.nat(9), ([plain, masked], generated) => {
        const want = logSoftmax(plain!.slice());
        const options = { schedule, generated, anchorTokens: [3, 2] };
        expect(combine(plain!.slice(), [null, null], [1, 1], options)).toEqual(want);
        expect(combine(plain!.slice(), [masked!, null], [1, 1], options)).toEqual(want);
      }),
    );
  });

  it("is the masked row at strength 0", () => {
    fc.assert(fc.property(rows(1), ([plain, masked]) => expectClose(combine(plain!, [masked!], [0]), logs(masked!))));
  });

  it.each(SCHEDULES)("is the plain row at every strength if nothing is masked (%s)", (schedule) => {
    fc.assert(
      fc.property(rows(0), strengths, ([plain], w) => {
        const got = combine(plain!.slice(), [plain!], [w], { schedule, generated: 2, anchorTokens: [5] });
        expect(got.map((x) => x + 0)).toEqual(logSoftmax(plain!).map((x) => x + 0)); // -0 is 0
      }),
    );
  });

  it("is linear in the strength", () => {
    fc.assert(
      fc.property(rows(1), strengths, strengths, ([plain, masked], a, b) => {
        const at = (w: number): Float32Array => combine(plain!.slice(), [masked!], [w]);
        const middle = at((a + b) / 2);
        const [from, to] = [at(a), at(b)];
        expectClose(
          middle,
          from.map((value, i) => (value + to[i]!) / 2),
          50,
        );
      }),
    );
  });

  it("does not look at constants added to a row", () => {
    fc.assert(
      fc.property(rows(1), strengths, fc.integer({ min: -8, max: 8 }), ([plain, masked], w, shift) => {
        const want = combine(plain!.slice(), [masked!], [w]);
        expectClose(
          combine(
            plain!.map((x) => x + shift),
            [masked!.map((x) => x - shift)],
            [w],
          ),
          want,
          20,
        );
      }),
    );
  });

  it("only reads masked rows, and works for more groups than at first", () => {
    const masked = Array.from({ length: 20 }, (_, k) => Float32Array.of(k, -k, 1));
    const before = masked.map((other) => other.slice());
    const w = masked.map((_, k) => 1 + k / 10);
    const plain = Float32Array.of(1, 2, 3);
    expectClose(combine(plain.slice(), masked, w), byFormula(plain, masked, w), 100);
    expect(masked).toEqual(before);
  });
});

describe("schedules", () => {
  const plain = Float32Array.of(Math.log(4), Math.log(2), Math.log(2)); // p = 1/2, 1/4, 1/4
  const masked = Float32Array.of(0, 0, 0);
  const p = [0.5, 0.25, 0.25];
  const difference = p.map((value) => Math.log(value) - Math.log(1 / 3));
  const want = (factors: readonly number[]): number[] =>
    p.map((value, i) => Math.log(value) + factors[i]! * difference[i]!);
  const run = (schedule: Schedule, generated?: number): Float32Array =>
    combine(plain.slice(), [masked], [1.5], { schedule, generated, anchorTokens: [4] });

  it("constant", () => expectClose(run("constant"), want([0.5, 0.5, 0.5])));
  it("probability: p / max p", () => expectClose(run("probability"), want([0.5, 0.25, 0.25])));
  it("confidence: max p", () => expectClose(run("confidence"), want([0.25, 0.25, 0.25])));
  it("growing: generated / anchor tokens", () => {
    expect(run("growing", 0)).toEqual(logSoftmax(plain.slice()));
    expectClose(run("growing", 2), want([0.25, 0.25, 0.25]));
    expectClose(run("growing", 4), want([0.5, 0.5, 0.5]));
    expectClose(run("growing", 8), want([1, 1, 1]));
  });
});

describe("tokens of -Infinity", () => {
  const no = -Infinity;
  it("stay so where both rows have it, or the plain one", () => {
    for (const w of [-2, 0, 0.5, 1, 1.5]) {
      const got = combine(Float32Array.of(0, no, no, 0), [Float32Array.of(0, no, 1, 1)], [w]);
      expect([got[1], got[2]]).toEqual([no, no]);
      expect([got[0], got[3]].every(Number.isFinite)).toBe(true);
    }
  });

  it("in the masked row alone follow the limit below 0, and are left out above", () => {
    const plain = Float32Array.of(0, 0);
    const masked = Float32Array.of(0, no);
    const [first, second] = combine(plain.slice(), [masked], [0.5]);
    expect(second).toBe(no);
    expect(first).toBeCloseTo(Math.log(0.5) * 0.5, 6);
    expect(combine(plain.slice(), [masked], [2])[1]).toBeCloseTo(Math.log(0.5), 6);
  });

  it("leave no NaN, whatever the rows", () => {
    const any = fc.array(fc.oneof(fc.constant(no), fc.double({ min: -9, max: 9, noNaN: true })), {
      minLength: 3,
      maxLength: 3,
    });
    fc.assert(
      fc.property(
        any,
        any,
        any,
        strengths,
        strengths,
        fc.constantFrom(...SCHEDULES),
        (plain, one, two, a, b, schedule) => {
          fc.pre([plain, one, two].every((values) => values.some(Number.isFinite)));
          const masked = [Float32Array.from(one), Float32Array.from(two)];
          const got = combine(Float32Array.from(plain), masked, [a, b], {
            schedule,
            generated: 3,
            anchorTokens: [2, 2],
          });
          for (const value of got) expect(value).toBeLessThan(Infinity);
        },
      ),
    );
  });
});

describe("what combine refuses, leaving the logits as they were", () => {
  const cases: [string, Float32Array, (Float32Array | null)[], number[], object, string][] = [
    [
      "NaN",
      row(0, NaN),
      [row(0, 0)],
      [2],
      {},
      "the plain row: no token has a probability: of 2 logits that of token 1 is NaN",
    ],
    [
      "+Infinity",
      row(0, 0),
      [row(0, 1), row(Infinity, 0)],
      [2, 2],
      {},
      "the masked row of group 1: no token has a probability: of 2 logits that of token 0 is Infinity",
    ],
    [
      "nothing but -Infinity",
      row(-Infinity, -Infinity),
      [],
      [],
      {},
      "the plain row: no token has a probability: of 2 logits all are -Infinity",
    ],
    ["a missing row", row(0, 0), [null], [2], {}, "group 0 has strength 2 but no masked row"],
    [
      "a row of another length",
      row(0, 0),
      [row(0)],
      [2],
      {},
      "the masked row of group 0 has 1 logits; the plain row has 2",
    ],
    ["fewer strengths", row(0, 0), [row(0, 0)], [], {}, "there are 1 masked rows but 0 strengths"],
    [
      "a strength that is no number",
      row(0, 0),
      [row(0, 0)],
      [NaN],
      {},
      "the strength of group 0 is NaN: it must be a finite number",
    ],
    [
      "growing without a count",
      row(0, 0),
      [row(0, 0)],
      [2],
      { schedule: "growing" },
      'the schedule "growing" needs the number of generated tokens; it was given undefined',
    ],
    [
      "growing without anchors",
      row(0, 0),
      [row(0, 0)],
      [2],
      { schedule: "growing", generated: 1 },
      'the schedule "growing" needs the tokens of group 0, 1 or more; it was given undefined',
    ],
    [
      "an unknown schedule",
      row(0, 0),
      [row(0, 0)],
      [2],
      { schedule: "rising" },
      'there is no schedule "rising": use constant, probability, growing or confidence',
    ],
  ];
  it.each(cases)("%s", (_name, plain, masked, w, options, message) => {
    const logits = plain.slice();
    expect(() => combine(logits, masked, w, options)).toThrow(new RangeError(message));
    expect(logits).toEqual(plain);
  });
});

describe("other contrasts", () => {
  it("are the formulas of their papers", () => {
    fc.assert(
      fc.property(rows(1), fc.double({ min: 0, max: 3, noNaN: true }), ([plain, without], x) => {
        const [l, u] = [logs(plain!), logs(without!)];
        expectClose(
          combine(plain!.slice(), [without!], [contrastStrength({ method: "guidance", scale: x })]),
          l.map((own, i) => u[i]! + x * (own - u[i]!)),
          50,
        );
        expectClose(
          combine(plain!.slice(), [without!], [contrastStrength({ method: "context", alpha: x })]),
          l.map((own, i) => (1 + x) * own - x * u[i]!),
          50,
        );
      }),
    );
  });

  it("have strengths", () => {
    expect(contrastStrength({ method: "guidance", scale: 1.5 })).toBe(1.5);
    expect(contrastStrength({ method: "negative-prompt", scale: 2 })).toBe(2);
    expect(contrastStrength({ method: "context", alpha: 0.5 })).toBe(1.5);
    expect(() => contrastStrength({ method: "context", alpha: NaN })).toThrow("context amounts to a strength of NaN");
  });
});

describe("softmax", () => {
  it("sum to one, even of large logits", () => {
    fc.assert(
      fc.property(rows(0), fc.constantFrom(0, 1e4, -1e4), ([logits], shift) => {
        const shifted = logits!.map((x) => x + shift);
        const p = softmax(shifted, new Float32Array(shifted.length));
        expect(p.reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 5);
        expectClose(logSoftmax(shifted.slice()).map(Math.exp), p);
      }),
    );
    expect(logSumExp([1000, 1000], "row")).toBeCloseTo(1000 + Math.log(2), 9);
  });
});

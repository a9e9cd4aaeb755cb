// What outcomes of a search show, on canned outcomes: a gain, none, a loss, a flat curve, one that is not confirmed, and too few tasks.

import { seededRandom } from "kedge/kernels";
import { describe, expect, it } from "vitest";
import { curveTest, tuningVerdict } from "./tuning-verdict.ts";

/** So many tasks, of which these many pass from the first on. */
const passing = (tasks: number, passed: number) => Array.from({ length: tasks }, (_, i) => i < passed);
/** `plain`, with these many failures turned to passes and passes to failures. */
function changed(plain: readonly boolean[], gained: number, lost: number): boolean[] {
  let [up, down] = [gained, lost];
  return plain.map((passed) => {
    if (!passed && up > 0) return up-- > 0;
    if (passed && down > 0) return down-- <= 0;
    return passed;
  });
}

const tuningPlain = passing(30, 15);
const flat = new Map([
  [1, tuningPlain],
  [1.2, changed(tuningPlain, 2, 1)],
  [1.4, changed(tuningPlain, 1, 2)],
  [1.6, changed(tuningPlain, 2, 2)],
]);
const rising = new Map([...flat, [1.4, changed(tuningPlain, 12, 0)]]);
const plain = passing(134, 60);

describe("the verdict on a search", () => {
  it("names the strength and its gain where the tasks that were not used show one", () => {
    const held = { plain, chosen: changed(plain, 14, 2) };
    const verdict = tuningVerdict({ chosen: 1.4, tuning: rising, held });
    expect(verdict).toMatchObject({ helps: true, strength: 1.4, tasks: 134, gained: 14, lost: 2 });
    expect(verdict.gain).toBeCloseTo(12 / 134, 12);
    expect(verdict.pValue).toBeCloseTo(0.00418, 5); // 2 (1 + 16 + 120) / 2^16
    expect(verdict.margin).toBeCloseTo((1.96 * Math.sqrt(17 - 12 ** 2 / 136)) / 136, 4);
    expect(verdict.gain - verdict.margin).toBeGreaterThan(0);
    expect(verdict.sentence).toBe("strength 1.4 helps by 0.090 ± 0.058 (134 tasks, p = 0.004)");
    expect(JSON.parse(JSON.stringify(verdict))).toEqual(verdict);
  });

  it("names none where they show none, a loss, or as much as chance does", () => {
    for (const [gained, lost, p] of [
      [3, 3, "p = 1.000"],
      [2, 14, "p = 0.004"],
      [8, 2, "p = 0.109"],
    ] as const) {
      const verdict = tuningVerdict({
        chosen: 1.2,
        tuning: flat,
        held: { plain, chosen: changed(plain, gained, lost) },
      });
      expect(verdict).toMatchObject({ helps: false, strength: null, gained, lost });
      const start = `not shown to help (134 tasks, ${p}: ${gained} gained and ${lost} lost at 1.2); the curve is flat within chance (p = `;
      expect(verdict.sentence.slice(0, start.length)).toBe(start);
      expect(verdict.sentence).toMatch(
        / for the best of 3 strengths on 30 tasks\); on 134 tasks no gain below 0\.045 can show$/,
      );
    }
  });

  it("names none where the curve rises and the other tasks do not confirm it", () => {
    const { helps, strength, curve, sentence } = tuningVerdict({
      chosen: 1.4,
      tuning: rising,
      held: { plain, chosen: plain },
    });
    expect({ helps, strength, isFlat: curve!.isFlat }).toEqual({ helps: false, strength: null, isFlat: false });
    expect(sentence).toContain("the curve is not flat (p ");
    expect(sentence).toContain("but the other tasks do not confirm it");
  });

  it("names none where the plain model was chosen", () => {
    const verdict = tuningVerdict({ chosen: 1, tuning: flat, held: { plain, chosen: plain } });
    expect(verdict).toMatchObject({ helps: false, strength: null, gain: 0, margin: 0, pValue: null });
    expect(verdict.sentence).toContain(
      "not shown to help (134 tasks; no strength was judged better than the plain model)",
    );
  });

  it("says that tasks are too few before it says anything of chance", () => {
    const few = { plain: passing(5, 0), chosen: passing(5, 5) };
    const verdict = tuningVerdict({ chosen: 1.4, tuning: new Map(), held: few });
    expect(verdict).toMatchObject({ helps: false, strength: null, curve: null });
    expect(verdict.sentence).toBe("not shown to help (5 tasks, too few to show anything: it takes 6 or more)");
    const enough = { plain: passing(6, 0), chosen: passing(6, 6) };
    expect(tuningVerdict({ chosen: 1.4, tuning: new Map(), held: enough }).sentence).toBe(
      "strength 1.4 helps by 1.000 ± 0.387 (6 tasks, p = 0.031)",
    );
  });
});

describe("the test of a curve", () => {
  it("of one strength is the sign test of its gain", () => {
    // 9 gained, 1 lost: (1 + 10) / 2^10, one-sided
    const { pValue } = curveTest(
      new Map([
        [1, tuningPlain],
        [1.5, changed(tuningPlain, 9, 1)],
      ]),
    )!;
    expect(Math.abs(pValue - 11 / 1024)).toBeLessThan(0.004);
    expect(curveTest(new Map([[1, tuningPlain]]))).toBeNull();
    expect(
      curveTest(
        new Map([
          [1, tuningPlain],
          [1.5, tuningPlain],
        ]),
      ),
    ).toMatchObject({ pValue: 1, isFlat: true });
  });

  it("asks more of the best of several than of one alone, and no more of copies", () => {
    const best = changed(tuningPlain, 7, 1);
    const alone = curveTest(
      new Map([
        [1, tuningPlain],
        [1.1, best],
      ]),
    )!.pValue;
    const copies = curveTest(
      new Map([1.1, 1.2, 1.3].map((strength) => [strength, best] as const)).set(1, tuningPlain),
    )!;
    expect(copies.pValue).toBe(alone);
    const random = seededRandom(5);
    const others = Array.from(
      { length: 10 },
      (_, i) => [2 + i, tuningPlain.map(() => random.integer(2) === 1)] as const,
    );
    const among = curveTest(new Map([...others, [1.1, best] as const, [1, tuningPlain] as const]))!;
    expect(among.pValue).toBeGreaterThan(2 * alone);
  });

  it("calls a curve of chance risen about as seldom as it should", () => {
    const random = seededRandom(3);
    let risen = 0;
    const trials = 30;
    for (let trial = 0; trial < trials; trial++) {
      const tasks = Array.from({ length: 24 }, () => random.integer(2) === 1);
      const curve = [1.1, 1.2, 1.3, 1.4, 1.5, 1.6].map(
        (strength) =>
          [strength, tasks.map((passed) => (random.integer(4) === 0 ? random.integer(2) === 1 : passed))] as const,
      );
      // The plain model is one of them: none is better than another.
      risen += Number(
        !curveTest(
          new Map([
            ...curve,
            [1, curve[0]![1].map((passed) => (random.integer(4) === 0 ? random.integer(2) === 1 : passed))] as const,
          ]),
        )!.isFlat,
      );
    }
    expect(risen).toBeLessThanOrEqual(0.2 * trials); // 0.05 is expected; each draw is one number
  });
});

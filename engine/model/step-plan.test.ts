import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planShares, type StepSizes, type Waiting } from "./step-plan.ts";

const SIZES: StepSizes = { rows: 192, promptRows: 48, isShared: true };

const decoding = (since: number, rows = 1, stepKey = "a"): Waiting => ({ stepKey, rows, isDecoding: true, since });
const prompt = (since: number, rows: number, stepKey = "a"): Waiting => ({ stepKey, rows, isDecoding: false, since });

/** `since` and rows of each share. */
const sharesOf = (waiting: readonly Waiting[], sizes = SIZES) =>
  planShares(waiting, sizes).map(({ waiting: { since }, rows }) => [since, rows]);

describe("a step", () => {
  it("serves all that decode, the oldest first", () => {
    expect(sharesOf([decoding(3), decoding(1, 4), decoding(2)])).toEqual([
      [1, 4],
      [2, 1],
      [3, 1],
    ]);
  });

  it("is filled with a prompt that is alone, and mixes few of its rows with rows that decode, whose step key may be another", () => {
    expect(sharesOf([prompt(1, 4000)])).toEqual([[1, 192]]);
    expect(sharesOf([prompt(1, 4000), decoding(2), decoding(3)])).toEqual([
      [2, 1],
      [3, 1],
      [1, 48],
    ]);
    expect(sharesOf([prompt(1, 4000), decoding(2, 1, "b")])).toEqual([[1, 48]]);
    expect(sharesOf([prompt(2, 4000), decoding(1, 1, "b")])).toEqual([[1, 1]]);
  });

  it("is of the key that was served longest ago", () => {
    const waiting = [decoding(11, 1, "a"), decoding(12, 1, "b"), decoding(13, 1, "c")];
    const served = (...times: [string, number][]) => planShares(waiting, SIZES, new Map(times))[0]!.waiting.stepKey;
    expect(served()).toBe("a");
    expect(served(["a", 8], ["b", 7], ["c", 9])).toBe("b");
    expect(served(["a", 8], ["b", 7])).toBe("c");
  });

  it("reads short prompts first, and an eighth of the longest-waiting one", () => {
    expect(sharesOf([prompt(1, 4000), prompt(2, 100), prompt(3, 20)])).toEqual([
      [1, 72],
      [2, 100],
      [3, 20],
    ]);
    expect(sharesOf([prompt(1, 4000), prompt(2, 1000), prompt(3, 500)])).toEqual([
      [1, 24],
      [3, 168],
    ]);
  });

  it("cuts a request that no step could hold, and leaves one for the next step that does not fit", () => {
    expect(sharesOf([decoding(1, 200)])).toEqual([[1, 192]]);
    expect(sharesOf([decoding(1, 150), decoding(2, 60), decoding(3, 42)])).toEqual([
      [1, 150],
      [3, 42],
    ]);
  });

  it("gives a request that must be whole all of its rows or none, and serves it once it has waited longest", () => {
    const whole = (since: number): Waiting => ({ ...decoding(since, 160), isWhole: true });
    expect(sharesOf([prompt(1, 4000), whole(2)])).toEqual([[1, 48]]);
    expect(sharesOf([prompt(1, 4000), decoding(2, 160)])).toEqual([
      [2, 144],
      [1, 48],
    ]);
    expect(sharesOf([prompt(3, 4000), whole(2)])).toEqual([
      [2, 160],
      [3, 32],
    ]);
  });

  it("has room for a prompt whose turn it is, even if rows that decode could fill it", () => {
    expect(sharesOf([decoding(2, 192), prompt(3, 100)])).toEqual([[2, 192]]);
    expect(sharesOf([decoding(2, 192), prompt(1, 100)])).toEqual([
      [2, 144],
      [1, 48],
    ]);
  });

  it("serves one request where steps are not shared, with the rows that it has alone", () => {
    const sizes = { ...SIZES, isShared: false };
    expect(sharesOf([decoding(2), prompt(1, 4000), decoding(3)], sizes)).toEqual([[1, 192]]);
    expect(sharesOf([decoding(2), prompt(4, 4000), decoding(3)], sizes)).toEqual([[2, 1]]);
  });
});

const anyWaiting = fc
  .array(
    fc.record({
      stepKey: fc.constantFrom("a", "b", "c"),
      rows: fc.integer({ min: 1, max: 30 }),
      isDecoding: fc.boolean(),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((list) => list.map((one, since): Waiting => ({ ...one, since })));
const anySizes = fc
  .record({
    rows: fc.integer({ min: 1, max: 40 }),
    promptRows: fc.integer({ min: 1, max: 40 }),
    isShared: fc.boolean(),
  })
  .map((sizes) => ({ ...sizes, promptRows: Math.min(sizes.rows, sizes.promptRows) }));

it("holds at most its rows, of one key, the oldest request's among them, and few of prompts while somebody decodes", () => {
  fc.assert(
    fc.property(anyWaiting, anySizes, (waiting, sizes) => {
      const shares = planShares(waiting, sizes);
      expect(shares[0]!.waiting.stepKey).toBe(waiting[0]!.stepKey);
      expect(shares.some((share) => share.waiting === waiting[0])).toBe(true);
      expect(new Set(shares.map((share) => share.waiting)).size).toBe(shares.length);
      expect(new Set(shares.map((share) => share.waiting.stepKey)).size).toBe(1);
      for (const { rows, waiting: own } of shares) {
        expect(rows).toBeGreaterThan(0);
        expect(rows).toBeLessThanOrEqual(own.rows);
      }
      const rowsOf = (some: typeof shares) => some.reduce((sum, { rows }) => sum + rows, 0);
      expect(rowsOf(shares)).toBeLessThanOrEqual(sizes.rows);
      const prompts = shares.filter((share) => !share.waiting.isDecoding);
      const isMixed = sizes.isShared && waiting.some(({ isDecoding }) => isDecoding);
      if (isMixed) expect(rowsOf(prompts)).toBeLessThanOrEqual(sizes.promptRows);
      // nothing that fits is left out
      if (!isMixed && sizes.isShared) {
        const wanted = waiting.filter(({ stepKey }) => stepKey === waiting[0]!.stepKey);
        const rows = wanted.reduce((sum, one) => sum + one.rows, 0);
        expect(rowsOf(shares)).toBe(Math.min(sizes.rows, rows));
      }
    }),
  );
});

it("comes to each request: all are done after as many steps as their rows, and a token waits for a step of each key at most", () => {
  fc.assert(
    fc.property(anyWaiting, anySizes, (list, sizes) => {
      let [time, steps] = [list.length, 0];
      const servedAt = new Map<string, number>();
      const decodingRows = list.reduce((sum, { isDecoding, rows }) => sum + (isDecoding ? rows : 0), 0);
      const fitsOneStep = decodingRows + sizes.promptRows <= sizes.rows;
      let waiting = list.map((one) => ({ ...one, waited: 0 }));
      const most = sizes.isShared ? new Set(list.map(({ stepKey }) => stepKey)).size : list.length;
      const total = list.reduce((sum, { rows }) => sum + rows, 0);
      while (waiting.length > 0) {
        expect(++steps).toBeLessThanOrEqual(total);
        const shares = planShares(waiting, sizes, servedAt);
        servedAt.set(shares[0]!.waiting.stepKey, ++time);
        for (const one of waiting) one.waited++;
        for (const { waiting: one, rows } of shares)
          Object.assign(one, { rows: one.rows - rows, since: ++time, waited: 0 });
        if (fitsOneStep) {
          for (const { isDecoding, waited } of waiting) if (isDecoding) expect(waited).toBeLessThanOrEqual(most);
        }
        waiting = waiting.filter(({ rows }) => rows > 0);
      }
    }),
  );
});

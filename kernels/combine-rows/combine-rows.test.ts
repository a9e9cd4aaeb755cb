import { expect, test } from "vitest";
import { logSumExp } from "../log-sum-exp/log-sum-exp.ts";
import { combineRows, COMBINING_RULES } from "./combine-rows.ts";

const none = Number.NEGATIVE_INFINITY;

/** The combined logits of one range of rows of probabilities (their logarithms may be shifted). */
function combined(
  rule: keyof typeof COMBINING_RULES,
  rows: readonly (readonly number[])[],
  factors: readonly number[],
) {
  const columns = rows[0]!.length;
  const x = Float64Array.from(rows.flat());
  const sums = new Float64Array(rows.length * 2);
  logSumExp.reference({ x, y: sums }, { rows: rows.length, columns, wantsSum: 1 });
  const y = new Float64Array(columns);
  const ranges = Uint32Array.of(0, rows.length, COMBINING_RULES[rule]);
  combineRows.reference(
    { x, sums, ranges, factors: Float64Array.of(9, ...factors), y },
    { rows: 1, columns, sourceRows: rows.length },
  );
  return [...y];
}

const close = (got: readonly number[], want: readonly number[]) =>
  want.forEach((value, i) => expect(got[i]).toBeCloseTo(value, 12));

test("is l + f (l - l_mask), whatever the rows are shifted by", () => {
  const [plain, masked] = [
    [0.5, 0.25, 0.25],
    [0.25, 0.25, 0.5],
  ].map((row) => row.map(Math.log)) as [number[], number[]];
  const want = plain.map((l, i) => l + 0.5 * (l - masked[i]!));
  close(combined("constant", [plain, masked], [0.5]), want);
  close(combined("constant", [plain.map((l) => l + 30), masked.map((l) => l - 7)], [0.5]), want);
});

test("the rules scale the factor: by p / max p, and by max p", () => {
  const [plain, masked] = [
    [0.5, 0.25, 0.25],
    [0.25, 0.25, 0.5],
  ].map((row) => row.map(Math.log)) as [number[], number[]];
  const terms = plain.map((l, i) => l - masked[i]!);
  close(
    combined("probability", [plain, masked], [3]),
    plain.map((l, i) => l + 3 * [1, 0.5, 0.5][i]! * terms[i]!),
  );
  close(
    combined("confidence", [plain, masked], [3]),
    plain.map((l, i) => l + 1.5 * terms[i]!),
  );
});

test("adds the terms of all groups, and reads no row of factor 0", () => {
  const rows = [
    [0, 0],
    [Math.log(3), 0],
    [NaN, NaN],
    [0, Math.log(3)],
  ];
  const half = Math.log(0.5);
  const [p, q] = [Math.log(0.75), Math.log(0.25)];
  close(combined("constant", rows, [1, 0, 2]), [
    half + (half - p) + 2 * (half - q),
    half + (half - q) + 2 * (half - p),
  ]);
});

test("follows the limit where a row excludes a token", () => {
  const rows = [
    [0, 0, none],
    [0, none, 0],
  ];
  const half = Math.log(0.5);
  close(combined("constant", rows, [1]), [half, half, none]);
  expect(combined("constant", rows, [-1])).toEqual([expect.closeTo(half, 12), none, none]);
});

test("has no numbers where a row has none to choose from, and copies a row for `none`", () => {
  for (const bad of [
    [NaN, 1],
    [Infinity, 1],
    [none, none],
  ]) {
    expect(combined("constant", [bad, [0, 0]], [1])).toEqual([NaN, NaN]);
    expect(combined("constant", [[0, 0], bad], [1])).toEqual([NaN, NaN]);
    expect(combined("none", [bad], [])).toEqual(bad);
  }
});

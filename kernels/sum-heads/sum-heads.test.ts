import { expect, test } from "vitest";
import { sumHeads } from "./sum-heads.ts";

test("adds the heads' lines, and leaves out what lies behind the columns", () => {
  const y = new Float64Array(2);
  const pattern = Float64Array.of(1, 2, 100, 10, 20, 200);
  sumHeads.reference({ pattern, y }, { rows: 1, heads: 2, columns: 2, stride: 3 });
  expect([...y]).toEqual([11, 22]);
});

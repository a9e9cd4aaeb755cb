// The list of slow files at the end of a run.

import { expect, it } from "vitest";
import { timingLines } from "./support/timings.ts";

it("has the slowest files first, with seconds and shares of all", () => {
  const timings = [
    { file: "a.test.ts", imports: 0.5, tests: 4.5 },
    { file: "deep/b.test.ts", imports: 1, tests: 14 },
  ];
  expect(timingLines(timings)).toEqual([
    "Slowest of 2 files, which took 20 s one after the other:",
    "  deep/b.test.ts   15.0 s  75 %   (imports 1.0 s)",
    "  a.test.ts         5.0 s  25 %   (imports 0.5 s)",
  ]);
});

it("has 20 files at most", () => {
  const timings = Array.from({ length: 30 }, (_, i) => ({ file: `${i}.test.ts`, imports: 0, tests: i }));
  const lines = timingLines(timings);
  expect(lines).toHaveLength(21);
  expect(lines[1]).toContain("29.test.ts");
  expect(lines[20]).toContain("10.test.ts");
});

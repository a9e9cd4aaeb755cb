import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import type { Spread } from "kedge/timing";

const bench = (...args: readonly string[]) =>
  spawnSync(process.execPath, ["dist/bench.js", "evaluation", ...args], { encoding: "utf8", timeout: 100_000 });

test("compares an evaluation with plain batches of the same size", { timeout: 120_000 }, () => {
  const { status, stdout, stderr } = bench(
    "--limit",
    "4",
    "--rows",
    "2",
    "--max-tokens",
    "8",
    "--rounds",
    "1",
    "--json",
  );
  expect(status, stderr).toBe(0);
  const report = JSON.parse(stdout) as { title: string; plain: Spread; evaluation: Spread; ratio: Spread };
  expect(report.title).toContain("4 tasks, 2 rows, texts of 8 tokens on average, 1 round");
  expect(report.plain.median).toBeGreaterThan(0);
  expect(report.ratio.median).toBeCloseTo(report.evaluation.median / report.plain.median, 9);
});

test("says in a sentence how it is called", () => {
  const { status, stdout, stderr } = bench("models/kedge-js-5m");
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^bench: usage: npm run bench evaluation [^\n]+\n$/);
});

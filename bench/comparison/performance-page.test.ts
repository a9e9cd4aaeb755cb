import { expect, test } from "vitest";
import type { MeasuredEntrant, Measurements } from "./measured.ts";
import { merged } from "./measured.ts";
import { BEGIN_MARK, END_MARK, markdownTable, measuredLines, withTables } from "./performance-page.ts";

const circumstances = {
  ...{ date: "2020-02-03", kedge: "1.2.3", node: "v20", platform: "linux x64", cpu: "a chip", cores: 2 },
  ...{ memoryBytes: 8e9, threads: 2, rounds: 3 },
};
const entrant = (name: string, values: readonly number[], rest: Partial<MeasuredEntrant> = {}): MeasuredEntrant => ({
  ...{ name, values, settings: { threads: 2, SIMD: true }, check: "right" },
  ...rest,
});
const gemm: Measurements = {
  gemm: {
    work: "gemm",
    circumstances,
    entrants: [
      entrant("kedge f32", [90, 100, 110], { idleShare: 0.01 }),
      entrant("ORT-web WASM f32 (Node)", [70, 50, 60], { idleShare: 0.2 }),
      entrant("ORT-web WASM f32 (Chromium)", [], { reason: "no | browser\nhere" }),
    ],
  },
};
const lines = measuredLines(gemm);

test("medians, spread, ratio, check and idle time of each entrant", () => {
  expect(lines).toContain("| kedge f32 | 100.0 | 90.0–110.0 | 1.00x | right | 1 % |");
  expect(lines).toContain("| ORT-web WASM f32 (Node) | 60.0 | 50.0–70.0 | 0.60x | right | 20 % (!) |");
});

test("who could not run says why, in one cell", () => {
  expect(lines).toContain("| ORT-web WASM f32 (Chromium) | could not run |  |  | no \\| browser here |  |");
});

test("goals are computed; what was not measured is open", () => {
  const title = "GEMM 256x1024x1024 on the CPU";
  expect(lines).toContain(`| ${title} | kedge f32 over ORT-web WASM f32 (Node) | ≥ 1.6x | 1.67x | met |`);
  expect(lines.filter((line) => line.endsWith("| not measured | open |")).length).toBeGreaterThan(5);
});

test("the machine and the settings are told", () => {
  expect(lines.join("\n")).toContain("2020-02-03: kedge 1.2.3, Node v20, linux x64, a chip, 2 cores, 8 GB; 2 threads");
  expect(lines).toContain("- kedge f32: threads 2, SIMD on");
});

test("a work in which somebody took part who no longer does is open", () => {
  const old = { ...gemm.gemm!, entrants: [...gemm.gemm!.entrants, entrant("a peer of old", [1, 2, 3])] };
  expect(measuredLines({ gemm: old })).toEqual(measuredLines({}));
});

test("tables replace what is between the marks, and nothing else", () => {
  const page = `before\n${BEGIN_MARK}\nold\n${END_MARK}\nafter\n`;
  const written = withTables(page, gemm);
  expect(written).toMatch(/^before\n/);
  expect(written.endsWith(`${END_MARK}\nafter\n`)).toBe(true);
  expect(written).not.toContain("old");
  expect(withTables(written, gemm)).toBe(written);
  expect(() => withTables("nothing", gemm)).toThrow(RangeError);
});

test("a work that is measured again replaces the old one only", () => {
  const again = { ...gemm.gemm!, circumstances: { ...circumstances, rounds: 9 } };
  const row = { ...gemm.gemm!, work: "row" } as const;
  expect(merged(gemm, [again]).gemm!.circumstances.rounds).toBe(9);
  expect(Object.keys(merged(gemm, [row]))).toEqual(["gemm", "row"]);
});

test("a table has a row of dashes", () => {
  expect(markdownTable(["a", "b"], [["1", "2"]])).toEqual(["| a | b |", "| --- | ---: |", "| 1 | 2 |"]);
});

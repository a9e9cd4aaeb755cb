// kedge bench: what it counts, not how fast anything is.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kedge } from "../support/command.ts";
import { tinyFiles } from "../support/tiny-model.ts";

const folder = mkdtempSync(join(tmpdir(), "kedge-bench-"));
const settings = ["--device", "reference", "--prompt-tokens", "12", "--tokens", "4", "--rounds", "3"];

beforeAll(async () => {
  for (const [file, blob] of tinyFiles()) writeFileSync(join(folder, file), new Uint8Array(await blob.arrayBuffer()));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Spread {
  readonly median: number;
  readonly slowest: number;
  readonly fastest: number;
}

test("prints medians and spreads as JSON, and the cache of all tokens that were fed", async () => {
  const { code, stdout } = await kedge(["bench", folder, ...settings, "--json"]);
  const result = JSON.parse(stdout) as Record<string, unknown> & {
    prefill: Spread;
    decode: Spread;
    memory: { weights: number; cache: { peak: number } };
  };
  expect(result).toMatchObject({ model: folder, device: "reference", promptTokens: 12, tokens: 4, rounds: 3 });
  for (const { median, slowest, fastest } of [result.prefill, result.decode]) {
    expect(slowest).toBeGreaterThan(0);
    expect(median).toBeGreaterThanOrEqual(slowest);
    expect(fastest).toBeGreaterThanOrEqual(median);
    expect(Number.isFinite(fastest)).toBe(true);
  }
  // The last token is written, but not fed: 3 layers of 2 x 2 heads of 20 f32 numbers for each of 12 + 4.
  expect(result.memory.cache.peak).toBe(16 * 3 * 2 * 2 * 20 * 4);
  expect(code).toBe(0);
});

test("prints a table for people", async () => {
  const { code, stdout, stderr } = await kedge(["bench", folder, ...settings]);
  expect(stdout).toMatch(/^prefill +[\d.,]+ +[\d.,]+ +[\d.,]+ +12 tokens at once$/m);
  expect(stdout).toMatch(/^decode +[\d.,]+ +[\d.,]+ +[\d.,]+ +4 tokens one by one$/m);
  expect(stdout).toMatch(/^median of 3 rounds; weights .*, activations .*, cache .*$/m);
  expect(stderr).toContain("on reference");
  expect(code).toBe(0);
});

test("refuses more tokens than the context holds, with both numbers", async () => {
  const { code, stdout, stderr } = await kedge(["bench", folder, "--device", "reference", "--prompt-tokens", "150"]);
  expect(stderr).toMatch(/kedge: --prompt-tokens 150 and --tokens 64 want a context of 215 tokens; .* holds 160\n$/);
  expect([code, stdout]).toEqual([2, ""]);
});

import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { spreadOf } from "kedge/timing";
import { memoryBound, table, type Measured } from "./report.ts";

const bench = (...args: readonly string[]) =>
  spawnSync(process.execPath, ["dist/bench.js", ...args], { encoding: "utf8", timeout: 100_000 });

test("measures the shipped model on wasm, within its bound of memory", { timeout: 120_000 }, () => {
  const sizes = ["--rounds", "2", "--prompt-tokens", "32", "--tokens", "8"];
  const { status, stdout, stderr } = bench("--device", "wasm", "--json", ...sizes);
  expect(status, stderr).toBe(0);
  const { machine, rounds, results } = JSON.parse(stdout) as {
    machine: { node: string };
    rounds: number;
    results: Record<string, unknown>[];
  };
  expect([machine.node, rounds, results.length]).toEqual([process.version, 2, 1]);
  const [result] = results as [Record<string, number & { least: number; median: number; most: number }>];
  expect(result).toMatchObject({ model: "kedge-js-5m", device: "wasm", promptTokens: 32, tokens: 8 });
  for (const name of ["prefillTokensPerSecond", "decodeTokensPerSecond"]) {
    const { least, median, most } = result[name]!;
    expect(least, name).toBeGreaterThan(0);
    expect(least <= median && median <= most, name).toBe(true);
  }
  // 4.7 million parameters of two bytes.
  expect(result["weightBytes"]).toBeGreaterThan(9.3e6);
  expect(result["weightBytes"]).toBeLessThan(9.6e6);
  expect(result["peakBytes"]).toBeGreaterThan(result["weightBytes"]!);
  expect(result["peakBytes"]).toBeLessThanOrEqual(memoryBound(result["weightBytes"]!));
});

test.each([
  [["--rounds", "0"], 2, '--rounds is "0"'],
  [["--nothing"], 2, "--nothing"],
  [["--device", "cpu"], 2, 'there is no device "cpu"'],
  [["--quantize", "int2"], 2, '--quantize is "int2": it must be int8 or int4'],
  [["no/such/folder"], 2, "there is no folder no/such/folder"],
  [["tests"], 1, "config.json"],
] as const)("%j ends with %i and one sentence", { timeout: 60_000 }, (args, code, message) => {
  const { status, stderr, stdout } = bench(...args, "--rounds", "1", "--tokens", "2", ...args);
  expect(stderr).toContain(message);
  expect([status, stdout]).toEqual([code, ""]);
});

test("measures quantized weights where asked to, and says so", { timeout: 120_000 }, () => {
  const args = ["--device", "wasm", "--quantize", "int8", "--rounds", "1", "--prompt-tokens", "8", "--tokens", "2"];
  const asJson = bench(...args, "--json");
  expect(asJson.status, asJson.stderr).toBe(0);
  const { quantize, results } = JSON.parse(asJson.stdout) as { quantize: string; results: { weightBytes: number }[] };
  expect(quantize).toBe("int8");
  // 4.7 million parameters of 34 / 32 bytes
  expect(results[0]!.weightBytes).toBeGreaterThan(4.9e6);
  expect(results[0]!.weightBytes).toBeLessThan(5.1e6);
  expect(bench(...args).stdout).toContain("8 + 2 tokens; matrices as int8");
});

test("the median of an even count is the mean of the middle two", () => {
  expect(spreadOf([4, 1, 3])).toEqual({ least: 1, median: 3, most: 4 });
  expect(spreadOf([4, 1, 2, 3])).toEqual({ least: 1, median: 2.5, most: 4 });
  expect(() => spreadOf([])).toThrow(RangeError);
});

test("a table says when the bound of memory is missed", () => {
  const loaded = {
    kind: "loaded",
    seconds: 1,
    device: "wasm",
    weightBytes: 100e6,
    promptTokens: 8,
    tokens: 8,
  } as const;
  const one = (peakBytes: number): Measured => ({
    model: "m",
    device: "wasm",
    loaded: { ...loaded, peakBytes: 1e6 },
    rounds: [{ kind: "round", promptTokensPerSecond: 10, tokensPerSecond: 20, peakBytes }],
  });
  const [, within, beyond] = table([one(280e6), one(281e6)]);
  expect(within).toMatch(/280 +280$/);
  expect(beyond).toMatch(/281 +280 MISSED$/);
});

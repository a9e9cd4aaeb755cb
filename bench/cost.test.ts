import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

const bench = (...args: readonly string[]) =>
  spawnSync(process.execPath, ["dist/bench.js", "cost", ...args], { encoding: "utf8", timeout: 100_000 });
const QUICK = ["--device", "wasm", "--rounds", "2", "--tokens", "6", "--contexts", "256,1024,4096"];

interface Spread {
  readonly least: number;
  readonly median: number;
  readonly most: number;
}

test("measures SPA's rows, and caches as the text grows, on the shipped model", { timeout: 120_000 }, () => {
  const { status, stdout, stderr } = bench(...QUICK, "--json");
  expect(status, stderr).toBe(0);
  const { rounds, costs } = JSON.parse(stdout) as {
    rounds: number;
    costs: {
      model: string;
      device: string;
      anchoring: { name: string; milliseconds: Spread; ratio: Spread }[];
      contexts: { context: number; policy: string; milliseconds: Spread; cacheBytes: number }[];
      leftOut: number[];
    }[];
  };
  expect([rounds, costs.length]).toEqual([2, 1]);
  const { model, device, anchoring, contexts, leftOut } = costs[0]!;
  expect([model, device, leftOut]).toEqual(["kedge-js-5m", "wasm", [4096]]);
  expect(anchoring.map(({ name }) => name)).toEqual([
    "plain",
    "two plain rows",
    "SPA, 1 group",
    "three plain rows",
    "SPA, 2 groups",
  ]);
  expect(anchoring[0]!.ratio).toEqual({ least: 1, median: 1, most: 1 });
  for (const { milliseconds, name } of anchoring) {
    expect(milliseconds.least, name).toBeGreaterThan(0);
    expect(milliseconds.most, name).toBeGreaterThanOrEqual(milliseconds.median);
  }
  expect(contexts.map(({ context, policy }) => [context, policy])).toEqual([
    [256, "full"],
    [256, "anchors"],
    [1024, "full"],
    [1024, "anchors"],
  ]);
  // 6 layers of keys and values, 2 heads of 64 numbers, of each token of the prompt: all but the 17 that follow.
  const bytes = contexts.map(({ cacheBytes }) => cacheBytes / (6 * 2 * 2 * 64 * 4));
  expect([bytes[0], bytes[2]]).toEqual([256 - 17, 1024 - 17]);
  // The first token, a break of each 12, and the line at hand.
  for (const [anchors, prompt] of [
    [bytes[1]!, 256 - 17],
    [bytes[3]!, 1024 - 17],
  ] as const) {
    const breaks = Math.floor(prompt / 12);
    expect(anchors).toBeGreaterThanOrEqual(breaks);
    expect(anchors).toBeLessThanOrEqual(1 + breaks + 12);
  }
});

test("prints Markdown that says what was left out, and whether the goal was met", { timeout: 120_000 }, () => {
  const { status, stdout } = bench(...QUICK);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^# What anchors cost\n/);
  expect(stdout).toMatch(/^\| plain \| [\d.]+ \([\d.]+–[\d.]+\) \| 1 \|$/m);
  expect(stdout).toMatch(/^One group costs [\d.]+x; the goal is at most 1\.15x: (met|missed)\.$/m);
  expect(stdout).toContain("Left out: 4096 tokens, beyond the 1024 that this model holds.");
});

test.each([
  [["--rounds", "0"], 2, '--rounds is "0"'],
  [["--contexts", "256,many"], 2, '--contexts is "many"'],
  [["--contexts", "8"], 2, "at least 42"],
  [["--nothing"], 2, "--nothing"],
  [["--device", "cpu"], 2, 'there is no device "cpu"'],
  [["no/such/folder"], 2, "there is no folder no/such/folder"],
  [["tests"], 1, "config.json"],
] as const)("%j ends with %i and one sentence", { timeout: 60_000 }, (args, code, message) => {
  const { status, stderr, stdout } = bench("--tokens", "2", "--device", "wasm", ...args);
  expect(stderr).toContain(message);
  expect([status, stdout]).toEqual([code, ""]);
});

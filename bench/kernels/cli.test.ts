// The kernel bench from end to end, in tiny shapes: what it writes, its rivals, its exit codes.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { KernelResults } from "./results.ts";

const folder = mkdtempSync(join(tmpdir(), "kedge-bench-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);

const bench = (...args: readonly string[]) =>
  spawnSync(process.execPath, ["dist/bench.js", ...args], { encoding: "utf8", timeout: 100_000 });
const QUICK = ["--shapes", "tiny", "--rounds", "2", "--milliseconds", "1", "--cache", "hot"];

test("times kernels on two devices, and writes JSON, Markdown and a page", { timeout: 120_000 }, () => {
  const outputs = [
    "--json",
    file("a.json"),
    "--csv",
    file("a.csv"),
    "--markdown",
    file("a.md"),
    "--html",
    file("a.html"),
  ];
  const filters = ["--device", "wasm:1,reference", "--kernel", "linear,add", "--format", "f32,int8"];
  const { status, stdout, stderr } = bench("kernels", ...QUICK, ...filters, ...outputs);
  expect(status, stderr).toBe(0);
  const results = JSON.parse(readFileSync(file("a.json"), "utf8")) as KernelResults;
  expect(results.devices.map(({ id }) => id)).toEqual(["wasm:1", "reference"]);
  expect(results.devices[0]!.peak.flopsPerSecond).toBeGreaterThan(1e6);
  expect(new Set(results.rows.map(({ kernel }) => kernel))).toEqual(new Set(["linear", "add"]));
  expect(new Set(results.rows.flatMap(({ format }) => format ?? []))).toEqual(new Set(["f32", "int8"]));
  for (const { errorOfBound, seconds, failure, samples } of results.rows) {
    expect(failure).toBeUndefined();
    expect(errorOfBound).toBeLessThanOrEqual(1);
    expect(samples).toHaveLength(2);
    expect(seconds!.least).toBeLessThanOrEqual(seconds!.most);
  }
  expect(results.commit).toMatch(/^[0-9a-f]{12}(\+changes)?$/);
  expect(readFileSync(file("a.csv"), "utf8").split("\r\n")).toHaveLength(results.rows.length + 2);
  const compared = bench("compare", file("a.json"), file("a.json"));
  expect([compared.status, compared.stdout]).toEqual([0, expect.stringContaining("none is worse")]);
  expect(stdout).toContain("| linear, feed-forward down 3x48x32");
  expect(readFileSync(file("a.md"), "utf8").trim()).toBe(stdout.trim());
  const page = readFileSync(file("a.html"), "utf8");
  expect(page).toContain('id="results">{"kedge"');
  expect(page).not.toMatch(/<script[^>]+src=|<link/);
});

test("times a rival beside ours, and never ranks one that is wrong", { timeout: 120_000 }, () => {
  const right = readFileSync("bench/rivals/scalar-add.ts", "utf8");
  const source = right
    .replaceAll("scalarAdd", "wrongAdd")
    .replace("add.scalar", "add.wrong")
    .replace("load<f32>(a + i) + load<f32>(b + i)", "load<f32>(a + i) - load<f32>(b + i)");
  const path = join("bench/rivals", `wrong-${process.pid}.tmp.ts`);
  writeFileSync(path, source);
  try {
    const filters = ["--device", "wasm:2", "--kernel", "add", "--json", file("b.json")];
    const rivals = ["--rival", "bench/rivals/scalar-add.ts", "--rival", path];
    const { status, stdout, stderr } = bench("kernels", ...QUICK, ...filters, ...rivals);
    expect(status, stderr).toBe(1);
    expect(stderr).toMatch(/^bench: add\.wrong is wrong: y\[0\] is .*, not .*$/m);
    const { rows } = JSON.parse(readFileSync(file("b.json"), "utf8")) as KernelResults;
    const found = Object.fromEntries(rows.map((row) => [row.implementation, row]));
    expect(Object.keys(found).sort()).toEqual(["add", "add.scalar", "add.wrong"]);
    expect(found["add.scalar"]).toMatchObject({ isRival: true });
    expect(found["add.scalar"]!.seconds!.median).toBeGreaterThanOrEqual(0);
    expect(found["add.wrong"]!.seconds).toBeUndefined();
    expect(found["add.wrong"]!.failure).toMatch(/^y\[0\] is .*, not /);
    expect(found["add.wrong"]!.largestError).toBeGreaterThan(0.1);
    expect(stdout).toMatch(/add\.wrong \(rival\) \| \*\*wrong\*\*: y\[0\] is/);
  } finally {
    rmSync(path);
  }
});

test("compares with what was kept: a regression is an exit code, and so is nonsense", { timeout: 60_000 }, () => {
  const results = JSON.parse(readFileSync(file("a.json"), "utf8")) as KernelResults;
  writeFileSync(
    file("other.json"),
    JSON.stringify({ ...results, machine: { ...results.machine, name: "Nothing like it" } }),
  );
  const nothing = bench("check", "--from", file("other.json"));
  expect(nothing.stdout).toMatch(
    /^bench\/results has nothing to compare with for Nothing like it, \d+ cores: wasm, 1 thread/,
  );
  expect(nothing.status).toBe(0);
  const { status, stderr } = bench("kernels", "--kernel", "lineal");
  expect(status).toBe(2);
  expect(stderr).toContain('there is no "lineal"');
});

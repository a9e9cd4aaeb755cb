// Every example runs, and prints what it is there to show.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import { testDevice } from "./support/devices.ts";

const files = readdirSync("examples").filter((file) => /^\d\d-.*\.ts$/.test(file));

/** What an example prints, line by line. */
async function printed(file: string): Promise<string[]> {
  let text = "";
  vi.spyOn(console, "log").mockImplementation((...parts: readonly unknown[]) => void (text += `${parts.join(" ")}\n`));
  vi.spyOn(process.stdout, "write").mockImplementation((part) => {
    text += String(part);
    return true;
  });
  await import(/* @vite-ignore */ `../examples/${file}`);
  vi.restoreAllMocks();
  return stripVTControlCharacters(text).split("\n");
}

afterEach(() => vi.restoreAllMocks());

test("there is a test of every example", () => {
  const own = readFileSync("tests/examples.test.ts", "utf8");
  for (const file of files) expect(own, file).toContain(`"${file}"`);
});

test.each(files)("%s has one idea: at most 60 lines", (file) => {
  expect(readFileSync(`examples/${file}`, "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(60);
});

test("01 writes a function that does what its comment says, four times", async () => {
  const lines = await printed("01-generate.ts");
  const bodies = lines.join("\n").split(/^function total\(nums\) \{$|^--- sample \d, ended by predicate$/m);
  expect(bodies).toHaveLength(1 + 1 + 3);
  for (const body of bodies.slice(1)) {
    const source = body.slice(0, body.search(/^\}$/m));
    // eslint-disable-next-line no-new-func -- the model was trained for this project; its functions are pure
    const total = new Function("nums", source) as (numbers: readonly number[]) => number;
    expect(total([1, 2, 3, 4, 10, 7]), source).toBe(16);
  }
  expect(lines.join("\n")).toMatch(/^weights 9\.\d MB, cache at its peak \d+\.\d MB, activations \d+\.\d MB$/m);
});

test("06 prints a causal pattern and finds the head that reads the word", async () => {
  const lines = await printed("06-look-inside.ts");
  const rows = lines.filter((line) => line.includes(" |"));
  expect(rows).toHaveLength(19);
  for (const [query, row] of rows.entries()) expect(row.split(" |")[1], row).toHaveLength(query + 1);
  expect(rows[0]).toMatch(/@$/); // the first token sees only itself
  expect(lines.join("\n")).toMatch(/" even" .* layer \d, head \d:\n[3-9]\d\.\d % of its weight/);
});

test("07 moves the answer from min to max with one head", async () => {
  const lines = await printed("07-edit-activations.ts");
  const text = lines.join("\n");
  const [, whole, before] = /nats: (-?[\d.]+) when.*\n(-?[\d.]+) for the smallest/.exec(text) ?? [];
  expect(Number(whole)).toBeGreaterThan(3);
  expect(Number(before)).toBeLessThan(-3);
  expect(lines.filter((line) => /^ +\d( +-?\d+\.\d){4}$/.test(line))).toHaveLength(6);
  const [, moved] = /layer \d, head \d: ([\d.]+) nats\.$/m.exec(text) ?? [];
  expect(Number(moved)).toBeGreaterThan(3);
});

test("08 writes three functions as one batch, and prefers the right body", async () => {
  const lines = await printed("08-batch-and-score.ts");
  expect(lines.filter((line) => line === "}")).toHaveLength(3);
  expect(lines).toContain("  return [...new Set(words)];");
  const scores = lines.filter((line) => line.startsWith("return Math.")).map((line) => /body\) (\S+),/.exec(line)?.[1]);
  expect(scores).toHaveLength(2);
  expect(Number(scores[0])).toBeGreaterThan(Number(scores[1]) + 3);
});

describe("09", () => {
  test("holds its kernel against the reference on the device there is", async () => {
    expect(await printed("09-write-a-kernel.ts")).toContain("within its bound");
  });

  test("has a shader that is right, and a check that sees when it is not", async () => {
    vi.spyOn(console, "log").mockImplementation(() => undefined);
    const { check } =
      (await import("../examples/09-write-a-kernel.ts")) as typeof import("../examples/09-write-a-kernel.ts");
    const device = await testDevice("webgpu");
    expect(await check(device)).toBeNull();
    const read = device.run.bind(device);
    device.run = async (executable, step) => {
      const arrays = await read(executable, step);
      arrays[0]![3]! += 0.01;
      return arrays;
    };
    expect(await check(device)).toMatchObject({ buffer: "y", index: 3 });
    await device.dispose();
  });
});

/** `npm run example -- …` */
const runExample = (...args: readonly string[]) =>
  spawnSync(process.execPath, ["build/example.mjs", ...args], { encoding: "utf8", timeout: 60_000 });

describe("npm run example", () => {
  test("runs one by its number, on the built package", () => {
    const { status, stdout, stderr } = runExample("09");
    expect(status, stderr).toBe(0);
    expect(stdout).toContain("within its bound");
  });

  test("names them all when there is none by that name", () => {
    const { status, stderr } = runExample("99");
    expect(status).toBe(2);
    for (const file of files) expect(stderr).toContain(file.slice(0, -3));
  });
});

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

/** The examples that have a test. */
const tested = new Set<string>();

/** A test of what an example prints. */
function example(file: string, claim: string, check: (lines: readonly string[]) => void): void {
  tested.add(file);
  test(`${file} ${claim}`, async () => check(await printed(file)));
}

test.each(files)("%s has one idea: at most 60 lines", (file) => {
  expect(readFileSync(`examples/${file}`, "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(60);
});

example("01-generate.ts", "writes a function that does what its comment says, four times", (lines) => {
  const bodies = lines.join("\n").split(/^function total\(nums\) \{$|^--- sample \d, ended by predicate$/m);
  expect(bodies).toHaveLength(1 + 1 + 3);
  for (const body of bodies.slice(1)) {
    const source = body.slice(0, body.search(/^\}$/m));
    // The model was trained for this project, and its functions are pure: they may run here.
    const total = new Function("nums", source) as (numbers: readonly number[]) => number;
    expect(total([1, 2, 3, 4, 10, 7]), source).toBe(16);
  }
  expect(lines.join("\n")).toMatch(/^weights 9\.\d MB, cache at its peak \d+\.\d MB, activations \d+\.\d MB$/m);
});

example(
  "02-small-cache.ts",
  "keeps a small part of the cache, and the model trained for it still writes what is wanted",
  (lines) => {
    const parsed = lines
      .filter((line) => line.startsWith("trained"))
      .map((line) => /^(.*?) +(\d+) % of \d+ kB +(right|wrong|no function)$/.exec(line)!);
    const found = new Map(parsed.map(([, label, percent, verdict]) => [label, { percent: Number(percent), verdict }]));
    expect(found.get("trained dense, everything kept")).toEqual({ percent: 100, verdict: "right" });
    expect(found.get("trained with anchors")!.verdict).toBe("right");
    expect(found.get("trained with anchors")!.percent).toBeLessThan(25);
    // Nothing taught the dense model to gather a line in its break.
    expect(found.get("trained dense, anchors")!.percent).toBeLessThan(25);
    expect(found.get("trained dense, anchors")!.verdict).not.toBe("right");
    expect(found.get("trained dense, window:24")!.percent).toBeLessThan(25);
    expect(found.size).toBe(5);
  },
);

example(
  "03-prompt-anchoring.ts",
  "shifts what comes next from the masked prompt's word to the anchored one",
  (lines) => {
    const rows = lines.map((line) => /^ +([\d.]+) {2}(\w+) ([\d.]+) %/.exec(line)).filter((row) => row !== null);
    expect(rows.map((row) => row[1])).toEqual(["0", "0.5", "1", "1.25", "2"]);
    expect(rows[0]![2]).toBe("join"); // without "add all the numbers together"
    const shares = rows.slice(1).map(([, , word, percent]) => [word, Number(percent)] as const);
    for (const [at, [word, percent]] of shares.entries()) {
      expect(word).toBe("reduce");
      expect(percent).toBeGreaterThan(shares[at - 1]?.[1] ?? 0);
    }
    expect(lines).toContain('masked tokens are replaced by token 1 "<|mask|>": the tokenizer\'s mask token');
    expect(lines).toContain("  const a = nums.filter((x) => x % 2 === 0);");
    expect(lines.join("\n")).toMatch(/anchors were (not )?needed; the check passed/);
  },
);

example("04-own-policy.ts", "keeps the task alone, within its budget, and writes what a full cache does", (lines) => {
  const texts = lines.join("\n").split(/^--- /m).slice(1);
  const parsed = texts.map((text) => /^([\w:-]+): (\d+) keys on average\n([^]*?^\})/m.exec(text)!);
  expect(parsed.map(([, name]) => name)).toEqual(["full", "keep-task", "window:32"]);
  const [full, task, window] = parsed.map(([, , keys, text]) => ({ keys: Number(keys), text }));
  expect(task!.text).toBe(full!.text);
  expect(window!.text).not.toBe(full!.text);
  const [, budget] = /^keep-task never keeps more than (\d+) keys$/m.exec(lines.join("\n"))!;
  expect(task!.keys).toBeLessThanOrEqual(Number(budget));
  expect(task!.keys).toBeLessThan(0.6 * full!.keys);
});

example("05-tune.ts", "finds that masking fails, and that the plain model is the best it can do here", (lines) => {
  const curve = lines.flatMap((line) => {
    const [, strength, passed] = /^strength (\d\.\d\d): (\d) of 6/.exec(line) ?? [];
    return strength === undefined ? [] : [[Number(strength), Number(passed)] as const];
  });
  expect(curve[0]).toEqual([0, 0]);
  expect(curve.find(([strength]) => strength === 1)).toEqual([1, 6]);
  expect(curve.length).toBeGreaterThanOrEqual(9);
  expect(lines.join("\n")).toMatch(
    /^best: 1; on the other tasks it passes 6 of 6,\nthe plain model 6: a gain of 0\.00/m,
  );
});

example("06-look-inside.ts", "prints a causal pattern and finds the head that reads the word", (lines) => {
  const rows = lines.filter((line) => line.includes(" |"));
  expect(rows).toHaveLength(19);
  for (const [query, row] of rows.entries()) expect(row.split(" |")[1], row).toHaveLength(query + 1);
  expect(rows[0]).toMatch(/@$/); // the first token sees only itself
  expect(lines.join("\n")).toMatch(/" even" .* layer \d, head \d:\n[3-9]\d\.\d % of its weight/);
});

example("07-edit-activations.ts", "moves the answer from min to max with one head", (lines) => {
  const text = lines.join("\n");
  const [, whole, before] = /nats: (-?[\d.]+) when.*\n(-?[\d.]+) for the smallest/.exec(text) ?? [];
  expect(Number(whole)).toBeGreaterThan(3);
  expect(Number(before)).toBeLessThan(-3);
  expect(lines.filter((line) => /^ +\d( +-?\d+\.\d){4}$/.test(line))).toHaveLength(6);
  const [, moved] = /layer \d, head \d: ([\d.]+) nats\.$/m.exec(text) ?? [];
  expect(Number(moved)).toBeGreaterThan(3);
});

example("08-batch-and-score.ts", "writes three functions as one batch, and prefers the right body", (lines) => {
  expect(lines.filter((line) => line === "}")).toHaveLength(3);
  expect(lines).toContain("  return [...new Set(words)];");
  const scores = lines.filter((line) => line.startsWith("return Math.")).map((line) => /body\) (\S+),/.exec(line)?.[1]);
  expect(scores).toHaveLength(2);
  expect(Number(scores[0])).toBeGreaterThan(Number(scores[1]) + 3);
});

example("09-write-a-kernel.ts", "holds its kernel against the reference on the device there is", (lines) => {
  expect(lines).toContain("within its bound");
});

test("09 has a shader that is right, and a check that sees when it is not", async () => {
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

test("there is a test of every example", () => {
  expect([...tested].sort()).toEqual(files.toSorted());
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

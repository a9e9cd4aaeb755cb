import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadModel, type Model } from "kedge";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readTasks } from "../../evaluation/tasks.ts";
import {
  arePerplexitiesDone,
  DILUTION_TOKENS,
  isDilutionDone,
  measureDilution,
  measurePerplexities,
  readDilution,
  readPerplexities,
  type MeasurementOptions,
} from "./measurements.ts";
import { PERPLEXITIES } from "./plan.ts";

const FOLDER = "models/kedge-js-5m";

let model: Model;
let folder: string;
let options: MeasurementOptions;
beforeAll(async () => {
  model = await loadModel(FOLDER, { device: "wasm" });
  folder = mkdtempSync(join(tmpdir(), "kedge-measurements-"));
  const tasks = (await readTasks(join(FOLDER, "eval-std.jsonl"))).slice(0, 3);
  const checks = { examples: undefined, base: undefined, plus: undefined };
  options = {
    folder,
    study: {
      tasks: () => Promise.resolve(tasks.map((task) => ({ task, checks }))),
      // The first text is too short to be measured.
      completions: () =>
        Promise.resolve(
          tasks.map(({ id }, index) => ({
            id,
            prompt: "",
            text: "  x = x + 1;\n".repeat(30),
            tokens: index === 0 ? 9 : 200,
          })),
        ),
    },
  };
});
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true });
});

it("dilution is measured once on each text that is long enough, and falls", async () => {
  expect(await isDilutionDone(options)).toBe(false);
  await measureDilution(model, "digest", options);
  expect(await isDilutionDone(options)).toBe(true);
  const whole = readDilution(folder);
  expect(whole).toHaveLength(2);
  for (const { shares } of whole) {
    expect(shares).toHaveLength(DILUTION_TOKENS + 1);
    expect(shares[0]).toBeCloseTo(1, 3); // only the prompt is there
    expect(shares.at(-1)).toBeLessThan(0.95);
    expect(Math.min(...shares)).toBeGreaterThan(0);
  }
  // An interruption after the first: only the second is measured again.
  const path = join(folder, "humaneval-x-js_dilution.jsonl");
  writeFileSync(path, `${readFileSync(path, "utf8").split("\n").slice(0, 2).join("\n")}\n`);
  expect(await isDilutionDone(options)).toBe(false);
  await measureDilution(model, "digest", options);
  expect(readDilution(folder)).toEqual(whole);
  await expect(measureDilution(model, "another", options)).rejects.toThrow(
    'was made with digest "digest", not "another"',
  );
});

it("perplexity is measured under each policy, with its bytes", async () => {
  expect(arePerplexitiesDone(options)).toBe(false);
  await measurePerplexities(model, "digest", options);
  expect(arePerplexitiesDone(options)).toBe(true);
  const found = new Map(readPerplexities(folder).map((line) => [line.id, line]));
  expect([...found.keys()]).toEqual(PERPLEXITIES);
  const [full, narrow] = [found.get("full")!, found.get("window:160")!];
  expect(full.kept).toBe(full.dense);
  expect(narrow.kept).toBeLessThan(narrow.dense);
  expect(narrow.perplexity).not.toBe(full.perplexity);
  for (const { perplexity } of found.values()) expect(perplexity).toBeGreaterThan(1);
});

import { resolve } from "node:path";
import { expect, test } from "vitest";
import { checkDeviation } from "./checks.ts";
import { runWork } from "./runner.ts";
import { WORKS, type Entrant } from "./works.ts";

const fake = (variant: string): Entrant => ({ name: variant, contender: "fake", variant });
const prompt = { text: "", tokens: [] };
const files = { gguf: "", folder: "", wideFolder: "", onnxFolder: "", quantizedFolder: "" };

test("contenders take turns, and those that fail stay with their reason", { timeout: 120_000 }, async () => {
  const lines: string[] = [];
  let readyBefore = 0;
  const measured = await runWork(WORKS[0]!, {
    entrants: ["steady", "absent", "breaks", "dies", "wrong"].map(fake),
    rounds: 3,
    fileOf: () => resolve("bench/comparison/fake-contender.ts"),
    task: { threads: 2, files, prompt, count: 4 },
    gpuEnvironment: {},
    check: async (entrant, { deviation }) => checkDeviation({ ...entrant, variant: "f32" }, deviation!),
    beforeRounds: async () => {
      readyBefore = lines.length;
    },
    onProgress: (line) => lines.push(line),
  });
  expect(readyBefore).toBe(5);
  const [steady, absent, breaks, dies, wrong] = measured;
  expect(steady).toMatchObject({ name: "steady", values: [10, 20, 30], settings: { threads: 2 } });
  expect(steady!.reason).toBeUndefined();
  if (process.platform === "linux") expect(steady!.idleShare).toBeGreaterThanOrEqual(0);
  expect(absent).toMatchObject({ values: [], reason: "this machine has no such thing" });
  expect(breaks).toMatchObject({ values: [], reason: "it broke" });
  expect(dies).toMatchObject({ values: [], reason: "its process ended with 3" });
  expect(wrong).toMatchObject({ values: [], reason: expect.stringContaining("deviates by 1.0e+0") as string });
});

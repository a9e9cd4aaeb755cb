// Sampling from the top-K logits that a device chooses gives what sampling from whole rows gives, token for token.

import { collect, loadModel, type Device, type Model } from "kedge";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generate, type GenerateOptions } from "../../engine/generate/generate.ts";
import type { Decoder, TopLogitsOptions } from "../../engine/generate/decoder.ts";
import { FAST_DEVICES, testDevice } from "../support/devices.ts";
import { openSteps, type OpenedSteps } from "../support/steps.ts";
import { randomTokens, tinyFolder } from "../support/tiny-model.ts";

const textOf = () => ({ push: (token: number) => String.fromCodePoint(0x100 + token), finish: () => "" });
const prompts = [randomTokens(9, 3), randomTokens(4, 5)];

/** Whether all, some or none of the steps are expected to need no more than the top-K logits. */
const CASES: readonly { readonly options: GenerateOptions; readonly whole: "never" | "sometimes" | "always" }[] = [
  { options: { temperature: 1, topK: 20 }, whole: "never" },
  { options: { temperature: 0.7, topK: 5, topP: 0.8, minP: 0.05 }, whole: "never" },
  { options: { temperature: 1.5, topP: 0.6 }, whole: "sometimes" },
  { options: { temperature: 4, topP: 0.97 }, whole: "always" },
  { options: { temperature: 1, minP: 0.1 }, whole: "never" },
  { options: { temperature: 0.9, topP: 0.9, minP: 0.02, samples: 3 }, whole: "sometimes" },
  { options: { temperature: 1 }, whole: "always" },
  { options: { temperature: 1, topK: 20, repetitionPenalty: 1.2 }, whole: "always" },
  { options: { temperature: 1, topP: 0.9, logitBias: { 3: 2 } }, whole: "always" },
  { options: { temperature: 1, topP: 0.9, logProbs: 1 }, whole: "always" },
  { options: { temperature: 1, topP: 0.9, logitsHook: (logits) => void logits.fill(-1, 0, 9) }, whole: "always" },
];

describe.each(FAST_DEVICES)("on %s", (name) => {
  let device: Device;
  let opened: OpenedSteps;
  beforeAll(async () => {
    device = await testDevice(name);
    opened = await openSteps(device, { folder: tinyFolder({ vocab_size: 301 }) });
  });
  afterAll(async () => {
    opened.steps.dispose();
    await device.dispose();
  });

  test.each(CASES)("$options: whole rows are read $whole", async ({ options, whole }) => {
    const read = { whole: 0, topLogits: 0 };
    const { decoder } = opened;
    const plain: Decoder = {
      vocabSize: decoder.vocabSize,
      contextLength: decoder.contextLength,
      open: () => decoder.open(),
      fork: (sequence) => decoder.fork(sequence),
      close: (sequence) => decoder.close(sequence),
      greedy: (feeds, signal) => decoder.greedy(feeds, signal),
      logits: (feeds, signal) => decoder.logits(feeds, signal),
    };
    const counting: Decoder = {
      ...plain,
      logits: (feeds, signal) => {
        read.whole += feeds.length;
        return plain.logits(feeds, signal);
      },
      topLogits: async (feeds, choice: TopLogitsOptions, signal) => {
        const answers = await decoder.topLogits(feeds, choice, signal);
        for (const answer of answers) read[answer instanceof Float32Array ? "whole" : "topLogits"]++;
        return answers;
      },
    };
    for (const seed of [1, 2]) {
      const all = { maxTokens: 25, seed, ...options };
      const wanted = await collect(generate(plain, textOf, prompts, all));
      expect(await collect(generate(counting, textOf, prompts, all))).toEqual(wanted);
    }
    if (whole === "never") expect(read.whole).toBe(0);
    if (whole === "always") expect(read.topLogits).toBe(0);
    else expect(read.topLogits).toBeGreaterThan(0);
  });
});

describe("a real vocabulary", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel("models/kedge-js-5m", { device: "wasm", threads: 2 });
  });
  afterAll(() => model.dispose());

  test("writes the same sampled text, whether or not whole rows are asked for", async () => {
    const head = "/**\n * Keep the even numbers.\n */\nfunction even(nums) {\n";
    const options = { temperature: 0.9, topP: 0.95, seed: 5, maxTokens: 60, ignoreEndTokens: true };
    const [few] = await collect(model.generate(head, options));
    const [all] = await collect(model.generate(head, { ...options, logitsHook: () => undefined }));
    expect(few).toEqual(all);
  });
});

// What a token costs in calls of WebGPU once decoding is under way: one command encoder, one submit, nothing made anew.

import { policies, type CachePolicy, type Device } from "kedge";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openWebGpu } from "../../engine/devices/webgpu/webgpu-device.ts";
import { generate, type GenerateOptions } from "../../engine/generate/generate.ts";
import { EngineDecoder } from "../../engine/model/engine-decoder.ts";
import { Steps } from "../../engine/model/steps.ts";
import { softwareGpu } from "../support/adapters.ts";
import { openParts, openSteps, type OpenedSteps } from "../support/steps.ts";
import { randomTokens } from "../support/tiny-model.ts";

const COUNTED = ["createBindGroup", "createBuffer", "createCommandEncoder", "createComputePipelineAsync"] as const;
const counts: Record<string, number> = {};
let gpu: GPUDevice;
let device: Device;
let opened: OpenedSteps;

/** From here on, calls of the method count. */
function countCalls(on: object, name: string): void {
  const method = Reflect.get(on, name) as (...parameters: unknown[]) => unknown;
  counts[name] = 0;
  Object.defineProperty(on, name, {
    value: (...parameters: unknown[]) => {
      counts[name]!++;
      return method.apply(on, parameters);
    },
  });
}

beforeAll(async () => {
  const adapter = await (await softwareGpu()).requestAdapter();
  gpu = await adapter!.requestDevice();
  for (const name of COUNTED) countCalls(gpu, name);
  // some bindings make a new object for every `device.queue`
  const { queue } = gpu;
  Object.defineProperty(gpu, "queue", { value: queue });
  countCalls(queue, "submit");
  device = await openWebGpu({ device: gpu });
  opened = await openSteps(device, { ahead: { tokens: 5, milliseconds: Infinity } });
});
afterAll(async () => {
  opened.steps.dispose();
  await device.dispose();
  gpu.destroy();
});

/** Tokens before the count: everything has been made, and all that grows has room for the tokens counted. */
const FIRST = 12;
const TOKENS = 20;

const text = () => ({ push: () => "x", finish: () => "" });

const cases: readonly { name: string; options: GenerateOptions; policy?: CachePolicy }[] = [
  { name: "greedy", options: {} },
  { name: "sampled", options: { temperature: 1, topK: 20, seed: 1 } },
  { name: "with log-probabilities", options: { logProbs: 1 } },
  { name: "with sinks", options: {}, policy: policies.sinks({ budget: 10, first: 2 }) },
  { name: "with heavy hitters", options: {}, policy: policies.heavyHitters({ budget: 8 }) },
];

test.each(cases)("$name: one submit a token", async ({ options, policy }) => {
  const maxTokens = FIRST + TOKENS;
  let tokens = 0;
  let before: Record<string, number> = {};
  for await (const piece of generate(new EngineDecoder(opened.steps, { policy }), text, [randomTokens(9)], {
    maxTokens,
    ...options,
  })) {
    tokens += piece.tokens.length;
    if (tokens === FIRST) before = { ...counts };
  }
  const during = Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, count - before[name]!]));
  // Steps that were run ahead are in the count before, or were cut off by the last.
  expect(during["submit"]).toBeGreaterThan(TOKENS - 6);
  expect(during).toEqual({
    createBindGroup: 0,
    createBuffer: 0,
    createComputePipelineAsync: 0,
    createCommandEncoder: during["submit"],
    submit: Math.min(TOKENS, during["submit"]!),
  });
});

test("an abort ends the preparing of a model at once, while pipelines are still being made", async () => {
  const own = await openWebGpu({ gpu: await softwareGpu() });
  const { config, weights } = await openParts(own);
  const { signal, abort } = abortable();
  let last = { done: 0, of: 0 };
  const preparing = Steps.create(own, config, weights, {
    signal,
    onProgress: (done, of) => {
      last = { done, of };
      abort();
    },
  });
  await expect(preparing).rejects.toThrow("enough");
  expect(last.done).toBeLessThan(last.of);
  await own.dispose();
});

function abortable() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort(new Error("enough")) };
}

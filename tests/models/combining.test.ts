// The device combines the rows of a contrast as the host does: the same tokens under every schedule and way of choosing, in one step or
// in several, alone and beside others, and with steps that run ahead.

import { policies, type CachePolicy, type Device } from "kedge";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collect, generate, type GenerateOptions } from "../../engine/generate/generate.ts";
import { EngineDecoder } from "../../engine/model/engine-decoder.ts";
import { contrastDecoder, type ContrastPlan } from "../../engine/prompt-anchoring/contrast-decoder.ts";
import type { Schedule } from "../../engine/prompt-anchoring/contrast.ts";
import type { Strength } from "../../engine/prompt-anchoring/strength.ts";
import { DEVICES, testDevice } from "../support/devices.ts";
import { isFullExtent } from "../support/extent.ts";
import { openSteps, type OpenedSteps } from "../support/steps.ts";
import { randomTokens } from "../support/tiny-model.ts";

/** Counts what is asked of it, and may leave combining to the host. */
class WatchedDecoder extends EngineDecoder {
  override readonly combines: boolean;
  wholeRows = 0;
  /** steps of each run that was taken to its end */
  readonly runs: number[] = [];

  constructor(steps: OpenedSteps["steps"], combines: boolean, policy?: CachePolicy) {
    super(steps, { policy });
    this.combines = combines;
  }

  override async logits(...parameters: Parameters<EngineDecoder["logits"]>): Promise<Float32Array[]> {
    const rows = await super.logits(...parameters);
    this.wholeRows += rows.length;
    return rows;
  }

  override async *greedyRun(...parameters: Parameters<EngineDecoder["greedyRun"]>) {
    let steps = 0;
    for await (const tokens of super.greedyRun(...parameters)) {
      steps++;
      yield tokens;
    }
    this.runs.push(steps);
  }
}

const textOf = () => ({ push: (token: number) => String.fromCodePoint(0x100 + token), finish: () => "" });

const prompts = [randomTokens(30, 50), randomTokens(17, 51)];

/** Two groups of anchors in each prompt. */
function planOf(prompt: readonly number[], strengths: readonly Strength[], schedule: Schedule): ContrastPlan {
  const rows = strengths.map((strength, group) => {
    const span = { begin: 6 + 3 * group, end: 8 + 4 * group };
    return {
      prompt: prompt.map((token, at) => (at >= span.begin && at < span.end ? 3 : token)),
      strength,
      anchors: [span],
    };
  });
  return { prompt, rows, schedule };
}

interface Case {
  readonly name: string;
  readonly schedule?: Schedule;
  readonly strengths?: readonly Strength[];
  readonly options?: GenerateOptions;
  readonly policy?: CachePolicy;
}

const CASES: readonly Case[] = [
  ...(["constant", "probability", "growing", "confidence"] as const).map((schedule) => ({ name: schedule, schedule })),
  { name: "one group", strengths: [1.25] },
  { name: "strengths below 1", strengths: [0.4, -1] },
  { name: "a stop string", options: { stop: String.fromCodePoint(0x100 + 40) } },
  { name: "a predicate", options: { stopWhen: ({ tokens }) => tokens.length === 7 } },
  { name: "samples from the top-K", options: { temperature: 0.9, topK: 8, seed: 4, samples: 2 } },
  { name: "samples from the top-K, growing", schedule: "growing", options: { temperature: 1.2, topK: 9, seed: 2 } },
  { name: "samples from whole rows", schedule: "probability", options: { temperature: 0.9, seed: 4 } },
  { name: "penalties", options: { repetitionPenalty: 1.3, frequencyPenalty: 0.2, presencePenalty: 0.1 } },
  { name: "tokens that are forbidden", options: { logitBias: { 5: -Infinity, 9: 2 } } },
  { name: "log-probabilities", options: { logProbs: 2 } },
  { name: "a logits hook", options: { logitsHook: (logits) => void (logits[11] = -Infinity) } },
  { name: "a window", policy: policies.window({ budget: 12 }) },
  { name: "heavy hitters", policy: policies.heavyHitters({ budget: 14 }) },
];

/** What comes of the prompts with these anchors. */
async function run(decoder: EngineDecoder, { schedule = "constant", strengths = [1.6, 0.5], options }: Case) {
  const plans = prompts.map((prompt) => planOf(prompt, strengths, schedule));
  const rows = await collect(generate(contrastDecoder(decoder, plans), textOf, prompts, { maxTokens: 9, ...options }));
  return rows.map(({ tokens, finishReason, logProbs }) => ({
    tokens,
    finishReason,
    // what a device rounds differs in the last bits
    alternatives: logProbs?.map(({ logProb, alternatives }) => [
      logProb.toFixed(3),
      alternatives.map((one) => one.token),
    ]),
  }));
}

/** The tokens of the prompts without any. */
async function texts(steps: OpenedSteps["steps"], options: GenerateOptions): Promise<(readonly number[])[]> {
  const decoder = new EngineDecoder(steps);
  const rows = await collect(generate(decoder, textOf, prompts, { maxTokens: 10, ...options }));
  return rows.map(({ tokens }) => tokens);
}

describe.each(DEVICES.filter((name) => isFullExtent || name === "wasm"))("on %s", (name) => {
  let device: Device;
  let opened: OpenedSteps;
  /** steps of few rows, so that prompts take several */
  let small: OpenedSteps;
  beforeAll(async () => {
    device = await testDevice(name);
    opened = await openSteps(device, { ahead: { tokens: 5, milliseconds: Infinity } });
    small = await openSteps(device, { chunkRows: 7, ahead: { tokens: 1 } });
  });
  afterAll(async () => {
    opened.steps.dispose();
    small.steps.dispose();
    await device.dispose();
  });

  test.each(CASES)("$name: the tokens that the host chooses", async (one) => {
    const host = new WatchedDecoder(opened.steps, false, one.policy);
    const wanted = await run(host, one);
    expect(host.wholeRows).toBeGreaterThan(0);
    expect(wanted.every(({ tokens }) => tokens.length > 1)).toBe(true);
    for (const { steps } of [opened, small])
      expect(await run(new WatchedDecoder(steps, true, one.policy), one)).toEqual(wanted);
    expect(opened.steps.cacheBytes().live).toBe(0);
  });

  test("greedy steps run ahead, and no row of logits is read", async () => {
    const decoder = new WatchedDecoder(opened.steps, true);
    await run(decoder, { name: "greedy" });
    expect(decoder.wholeRows).toBe(0);
    // two tokens a step, five of which are read at once
    expect(Math.max(...decoder.runs)).toBe(2);
  });

  test("with penalties one row of logits is read for each prompt, the combined one", async () => {
    const decoder = new WatchedDecoder(opened.steps, true);
    await run(decoder, { name: "penalties", options: { repetitionPenalty: 1.3 } });
    expect(decoder.wholeRows).toBe(2 * 9);
  });

  test("a strength that is a function stays on the host", async () => {
    const decoder = new WatchedDecoder(opened.steps, true);
    const functions = await run(decoder, { name: "", strengths: [() => 1.6, 0.5] });
    expect(decoder.wholeRows).toBe(2 * 3 * 9);
    expect(functions).toEqual(await run(decoder, { name: "", strengths: [1.6, 0.5] }));
  });

  test("more rows than a step has are combined by the host", async () => {
    const strengths = Array.from({ length: 7 }, (_, i) => 1 + i / 9);
    const wanted = await run(new WatchedDecoder(small.steps, false), { name: "", strengths });
    const decoder = new WatchedDecoder(small.steps, true);
    expect(await run(decoder, { name: "", strengths })).toEqual(wanted);
    expect(decoder.wholeRows).toBe(2 * 8 * 9);
  });

  test("beside plain and sampled requests of one step, each is what it is alone", async () => {
    const kinds = [{}, { temperature: 0.8, topK: 6, seed: 1 }, { temperature: 0.8, seed: 2 }];
    const contrasts = [{ name: "", schedule: "confidence" as const }, CASES.find(({ options }) => options?.topK)!];
    for (const { steps } of [opened, small]) {
      const wanted = [];
      for (const options of kinds) wanted.push(await texts(steps, options));
      for (const one of contrasts) wanted.push(await run(new EngineDecoder(steps), one));
      const together = [
        ...kinds.map((options) => texts(steps, options)),
        ...contrasts.map((one) => run(new EngineDecoder(steps), one)),
      ];
      expect(await Promise.all(together)).toEqual(wanted);
    }
  });

  test("a row without numbers ends in the error of plain decoding, and leaves no keys", async () => {
    const broken = new Float32Array(48).fill(Number.NaN);
    const plan = { ...planOf(prompts[0]!, [2], "constant"), vectors: broken };
    const [row] = plan.rows;
    const masked = { ...plan, rows: [{ ...row!, prompt: row!.prompt.map((token) => (token === 3 ? 67 : token)) }] };
    for (const combines of [true, false]) {
      const decoder = contrastDecoder(new WatchedDecoder(opened.steps, combines), [masked]);
      await expect(collect(generate(decoder, textOf, prompts.slice(0, 1), { maxTokens: 4 }))).rejects.toThrow(
        "no token has a probability: of 67 logits",
      );
      expect(opened.steps.cacheBytes().live).toBe(0);
    }
  });

  test("an abort while steps run ahead leaves no keys", async () => {
    const abort = new AbortController();
    const decoder = contrastDecoder(new EngineDecoder(opened.steps), [planOf(prompts[0]!, [1.5], "growing")]);
    const stopWhen = ({ tokens }: { tokens: readonly number[] }) => {
      if (tokens.length === 4) abort.abort(new Error("enough"));
      return false;
    };
    const options = { maxTokens: 30, signal: abort.signal, stopWhen };
    await expect(collect(generate(decoder, textOf, prompts.slice(0, 1), options))).rejects.toThrow("enough");
    expect(opened.steps.cacheBytes().live).toBe(0);
  });
});

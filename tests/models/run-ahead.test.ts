// Greedy steps that are run before their tokens are read give what one step at a time gives: the same pieces, and after each
// piece the same bytes and statistics of the cache.

import { policies, type CachePolicy, type Device } from "kedge";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generate, type GenerateOptions } from "../../engine/generate/generate.ts";
import type { Piece } from "../../engine/generate/rows.ts";
import { EngineDecoder } from "../../engine/model/engine-decoder.ts";
import { FAST_DEVICES, testDevice } from "../support/devices.ts";
import { openSteps, type OpenedSteps } from "../support/steps.ts";
import { randomTokens } from "../support/tiny-model.ts";

/** Tokens that are read at once; none of the lengths below is a multiple. */
const AHEAD = 5;

/** Text of a token: one character. */
const textOf = () => ({ push: (token: number) => String.fromCodePoint(0x100 + token), finish: () => "" });

interface Case {
  readonly name: string;
  readonly prompts: readonly (readonly number[])[];
  readonly options: GenerateOptions | ((tokens: readonly number[]) => GenerateOptions);
  readonly policy?: CachePolicy;
}

const prompt = randomTokens(9, 3);
const several = [prompt, randomTokens(4, 5), randomTokens(17, 6)];
const isEven = (token: number) => token % 2 === 0;
const CASES: readonly Case[] = [
  { name: "as many tokens as were asked for", prompts: [prompt], options: { maxTokens: 33 } },
  {
    name: "a stop string in the middle",
    prompts: [prompt],
    options: (tokens) => ({
      maxTokens: 40,
      stop: tokens
        .slice(12, 14)
        .map((token) => textOf().push(token))
        .join(""),
    }),
  },
  {
    name: "a stop token",
    prompts: [prompt],
    options: (tokens) => ({
      maxTokens: 40,
      stopTokens: tokens.filter((token, i) => i >= 7 && tokens.indexOf(token) === i).slice(0, 1),
    }),
  },
  {
    name: "a predicate",
    prompts: [prompt],
    options: { maxTokens: 40, stopWhen: ({ tokens }) => tokens.length === 17 },
  },
  { name: "a full context", prompts: [randomTokens(140, 4)], options: { maxTokens: 200 } },
  { name: "several prompts", prompts: several, options: { maxTokens: 21 } },
  {
    name: "several prompts that end apart",
    prompts: several,
    options: { maxTokens: 30, stopWhen: ({ tokens, promptIndex: index }) => tokens.length === [9, 28, 14][index] },
  },
  { name: "samples", prompts: [prompt], options: { maxTokens: 12, samples: 3 } },
  { name: "log-probabilities", prompts: [prompt], options: { maxTokens: 12, logProbs: 2 } },
  { name: "all keys, by name", prompts: [prompt], options: { maxTokens: 30 }, policy: policies.full() },
  { name: "a window", prompts: several, options: { maxTokens: 30 }, policy: policies.window({ budget: 7 }) },
  { name: "sinks", prompts: [prompt], options: { maxTokens: 30 }, policy: policies.sinks({ budget: 8, first: 2 }) },
  { name: "anchors", prompts: [prompt], options: { maxTokens: 30 }, policy: policies.anchors({ isAnchor: isEven }) },
  {
    name: "heavy hitters",
    prompts: [prompt],
    options: { maxTokens: 30 },
    policy: policies.heavyHitters({ budget: 8 }),
  },
  { name: "small keys", prompts: [prompt], options: { maxTokens: 30 }, policy: policies.keyNorm({ budget: 8 }) },
];

/** Every piece with the cache as it is when the piece comes, and the cache at the end. */
async function trace(
  { steps }: OpenedSteps,
  { prompts, policy }: Pick<Case, "prompts" | "policy">,
  options: GenerateOptions,
  onPiece: (piece: Piece, count: number) => "go on" | "break" = () => "go on",
): Promise<unknown[]> {
  steps.resetCacheStatistics();
  const seen: unknown[] = [];
  const cache = () => ({ ...steps.cacheBytes(), statistics: steps.cacheStatistics() });
  try {
    for await (const piece of generate(new EngineDecoder(steps, { policy }), textOf, prompts, options)) {
      seen.push({ piece, cache: cache() });
      if (onPiece(piece, seen.length) === "break") break;
    }
  } catch (error) {
    seen.push(String(error));
  }
  return [...seen, cache()];
}

/** Breaks off after nine pieces. */
const breakOff = (_: Piece, count: number) => (count === 9 ? "break" : "go on");

describe.each(FAST_DEVICES)("on %s", (name) => {
  let device: Device;
  let single: OpenedSteps;
  let ahead: OpenedSteps;
  beforeAll(async () => {
    device = await testDevice(name);
    single = await openSteps(device, { ahead: { tokens: 1 } });
    ahead = await openSteps(device, { ahead: { tokens: AHEAD, milliseconds: Infinity } });
  });
  afterAll(async () => {
    single.steps.dispose();
    ahead.steps.dispose();
    await device.dispose();
  });

  async function optionsOf({ prompts, options }: Case): Promise<GenerateOptions> {
    if (typeof options !== "function") return options;
    let tokens: number[] = [];
    // in both, so that the peak of either stays what the other's is
    for (const { decoder } of [single, ahead]) {
      tokens = [];
      const pieces = generate(decoder, textOf, prompts, { maxTokens: 40 });
      for await (const piece of pieces) tokens.push(...piece.tokens);
    }
    return options(tokens);
  }

  test.each(CASES)("$name", async (one) => {
    const options = await optionsOf(one);
    const wanted = await trace(single, one, options);
    expect(await trace(ahead, one, options)).toEqual(wanted);
    expect(wanted.length).toBeGreaterThan(8);
  });

  test("an abort in the middle, and whoever breaks off", async () => {
    const controllers = [new AbortController(), new AbortController()];
    const [wanted, got] = await Promise.all(
      [single, ahead].map((opened, i) =>
        trace(opened, { prompts: [prompt] }, { maxTokens: 30, signal: controllers[i]!.signal }, (_, count) => {
          if (count === 8) controllers[i]!.abort(new Error("enough"));
          return "go on";
        }),
      ),
    );
    expect(got).toEqual(wanted);
    expect(wanted!.at(-2)).toBe("Error: enough");
    expect(wanted).toHaveLength(10);
    const broken = await trace(single, { prompts: several }, { maxTokens: 30 }, breakOff);
    expect(await trace(ahead, { prompts: several }, { maxTokens: 30 }, breakOff)).toEqual(broken);
    expect(ahead.steps.cacheBytes().live).toBe(0);
  });

  test("a full cache is refused at the same token", async () => {
    const small = await Promise.all(
      [1, AHEAD].map((tokens) => openSteps(device, { maxSlots: 23, ahead: { tokens, milliseconds: Infinity } })),
    );
    const [wanted, got] = [
      await trace(small[0]!, { prompts: [prompt] }, { maxTokens: 30 }),
      await trace(small[1]!, { prompts: [prompt] }, { maxTokens: 30 }),
    ];
    expect(got).toEqual(wanted);
    expect(wanted!.at(-2)).toMatch(/needs 24 slots, but may have 23/);
    for (const { steps } of small) steps.dispose();
  });

  test("is read once for several tokens", async () => {
    let runs = 0;
    const counting: Device = new Proxy(device, {
      get(target, key) {
        if (key === "run") runs++;
        const value = Reflect.get(target, key, target) as unknown;
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const opened = await openSteps(counting, { ahead: { tokens: AHEAD, milliseconds: Infinity } });
    runs = 0;
    await trace(opened, { prompts: [prompt] }, { maxTokens: 1 + 4 * AHEAD });
    expect(runs).toBe(1 + 4);
    opened.steps.dispose();
  });
});

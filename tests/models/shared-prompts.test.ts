// Texts of one prompt under several strengths, policies and samples in one batch: each prompt is read once, and each text is what it is alone.

import { collect, loadModel, policies, type BatchPrompt, type CachePolicy, type Device, type Model } from "kedge";
import { parsePolicy } from "kedge/policies";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolveKeeping } from "../../engine/cache/keeping.ts";
import { keepsAlike } from "../../engine/model/shared-prompts.ts";
import { testDevice } from "../support/devices.ts";
import { tinyFolder } from "../support/tiny-model.ts";

const SHIPPED = "models/kedge-js-5m";
const prompts = [
  "/**\n * Return the numbers that are even, doubled, without the first two.\n */\nfunction f(nums) {\n",
  "/**\n * Reverse the list of words.\n */\nfunction g(words) {\n",
];
const held = { anchors: ["Return the numbers that are even", "Reverse the list"] } as const;
const mean = { kind: "mean" } as const;

type Way = NonNullable<BatchPrompt["options"]>;
const ways: readonly Way[] = [
  {},
  { anchoring: { strength: 1.25 } },
  { anchoring: { strength: 2 } },
  { anchoring: { strength: 2, standIn: mean } },
  { anchoring: { strength: 3, standIn: mean } },
  { anchoring: { strength: 1.5, schedule: "growing" } },
  { cache: policies.window({ budget: 20 }) },
  { cache: parsePolicy("snap-kv:20,window=8") },
  { cache: parsePolicy("snap-kv:60%,window=8"), anchoring: { strength: 2 } },
  { cache: parsePolicy("heavy-hitters:40%") },
  { cache: parsePolicy("sinks:50%") },
  { temperature: 1, seed: 3, samples: 2 },
];

/** Each prompt in each of these ways, one after the other. */
const batchOf = (one: readonly Way[]) =>
  prompts.flatMap((prompt): BatchPrompt[] =>
    one.map((options) => ({
      prompt,
      anchors: options.anchoring && held.anchors.filter((text) => prompt.includes(text)),
      options,
    })),
  );

/** A device that counts the rows of steps. */
function counting(device: Device) {
  const counted = { rows: 0 };
  const run: Device["run"] = (executable, ...steps) => {
    for (const { variables } of steps) counted.rows += variables["rows"] ?? 0;
    return device.run(executable, ...steps);
  };
  const proxy: Device = new Proxy(device, {
    get(target, key) {
      if (key === "run") return run;
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  return { device: proxy, counted };
}

describe("the shipped model on wasm", () => {
  let device: Device;
  let model: Model;
  let counted: { rows: number };
  beforeAll(async () => {
    device = await testDevice("wasm");
    const watched = counting(device);
    counted = watched.counted;
    model = await loadModel(SHIPPED, { device: watched.device });
  });
  afterAll(async () => {
    await model.dispose();
    await device.dispose();
  });
  const few = { maxTokens: 14, ignoreEndTokens: true };

  test("writes what each way of decoding writes alone", async () => {
    const batch = batchOf(ways);
    const texts = await collect(model.generateBatch(batch, { ...few, rows: 7 }));
    const alone: string[] = [];
    for (const { options, ...prompt } of batch) {
      for (const { text } of await collect(model.generate(prompt, { ...few, ...options }))) alone.push(text);
    }
    expect(texts.map(({ text }) => text)).toEqual(alone);
    expect(new Set(alone).size).toBeGreaterThan(5); // the ways differ
    expect(model.memory().cache.live).toBe(0);
  });

  test("reads a prompt once, and what is masked once for all strengths", async () => {
    const [prompt] = prompts;
    const tokens = model.tokenize(prompt!).length;
    const anchoring = [1.25, 1.5, 2, 3].map((strength): Way => ({ anchoring: { strength } }));
    const rowsOf = async (one: readonly Way[]) => {
      counted.rows = 0;
      const batch = batchOf(one).filter((item) => item.prompt === prompt);
      await collect(model.generateBatch(batch, { ...few, maxTokens: 1, rows: 8 }));
      return counted.rows;
    };
    // The last token of the prompt is each row's own.
    expect(await rowsOf([{}, {}, {}])).toBe(tokens - 1 + 3);
    const anchored = await rowsOf([{}, ...anchoring]);
    expect(anchored).toBeLessThan(2 * (tokens - 1) + 1 + 8);
    expect(anchored).toBeGreaterThan(tokens - 1 + 1 + 8);
    // Two budgets of one policy; a policy of another kind reads the prompt for itself.
    const budgets = ["snap-kv:20", "snap-kv:60%"].map((text): Way => ({ cache: parsePolicy(`${text},window=8`) }));
    expect(await rowsOf(budgets)).toBe(tokens - 1 + 2);
    expect(await rowsOf([{}, ...budgets])).toBe(2 * (tokens - 1) + 3);
  });

  test("tells the bytes of policies in one batch apart, as each would take alone", async () => {
    const own = [policies.full(), policies.full(), policies.window({ budget: 20 }), parsePolicy("snap-kv:20,window=8")];
    const batch = batchOf(own.map((cache, i): Way => ({ cache, ...(i === 1 && { anchoring: { strength: 2 } }) })));
    const statisticsOf = async (items: readonly BatchPrompt[]) => {
      for (const cache of own) model.resetCacheStatistics(cache);
      await collect(model.generateBatch(items, { ...few, rows: 4 }));
      return own.map((cache) => model.cacheStatistics(cache));
    };
    const together = await statisticsOf(batch.slice(0, 4));
    for (const [i, statistics] of together.entries()) {
      const alone = (await statisticsOf([batch[i]!]))[i]!;
      // A window is filled while the prompt is read, which no text does by itself.
      if (i !== 2) expect(statistics.peak).toBe(alone.peak);
      expect(statistics.densePeak).toBe(alone.densePeak);
      expect(Math.abs(statistics.mean / alone.mean - 1)).toBeLessThan(0.1); // alone, what comes before the anchors is a step of its own
      expect(Math.abs(statistics.denseMean / alone.denseMean - 1)).toBeLessThan(0.1);
    }
    const [full, anchored, narrow, snap] = together;
    expect(full!.mean).toBe(full!.denseMean);
    expect(anchored!.mean).toBe(anchored!.denseMean); // what both rows begin with counts once
    expect(narrow!.mean).toBeLessThan(0.8 * full!.mean);
    expect(snap!.mean).toBeLessThan(snap!.denseMean);
  });

  test("frees what it read when it is left, aborted or refused", async () => {
    const batch = batchOf(ways);
    for await (const _ of model.generateBatch(batch, { ...few, rows: 2 })) break;
    expect(model.memory().cache.live).toBe(0);
    const controller = new AbortController();
    const run = collect(model.generateBatch(batch, { ...few, rows: 4, signal: controller.signal }));
    controller.abort(new Error("enough"));
    await expect(run).rejects.toThrow("enough");
    expect(model.memory().cache.live).toBe(0);
    const long = { prompt: "x ".repeat(model.contextLength) };
    await expect(collect(model.generateBatch([long, long], { ...few, rows: 2 }))).rejects.toThrow("tokens");
    const wrong = { prompt: "let a", options: { rows: 2 } };
    await expect(collect(model.generateBatch([wrong as BatchPrompt], few))).rejects.toThrow(
      'prompt 0: there is no option "rows"',
    );
    expect(model.memory().cache.live).toBe(0);
  });
});

test("a tiny model of another shape writes the same", async () => {
  await using model = await loadModel(tinyFolder(), { device: "reference" });
  const token = { kind: "token", token: 3 } as const;
  const prompt = [5, 9, 11, 40, 41, 42, 8, 7, 6];
  const tiny = ways.filter(({ cache }) => !cache?.name.startsWith("snap"));
  const batch = tiny.map(({ anchoring, ...rest }): BatchPrompt => {
    if (!anchoring) return { prompt, options: rest };
    return {
      prompt,
      anchors: [{ tokens: { begin: 2, end: 5 } }],
      options: { ...rest, anchoring: { standIn: token, ...anchoring } },
    };
  });
  const texts = await collect(model.generateBatch(batch, { maxTokens: 8, rows: 5 }));
  const alone = [];
  for (const { options, ...own } of batch)
    alone.push(...(await collect(model.generate(own, { maxTokens: 8, ...options }))));
  expect(texts.map(({ tokens }) => tokens)).toEqual(alone.map(({ tokens }) => tokens));
});

test("prompts are shared between policies that keep the same of them, and no others", async () => {
  await using model = await loadModel(tinyFolder(), { device: "reference" });
  const alike = (one: CachePolicy, other: CachePolicy) =>
    keepsAlike(resolveKeeping(model.config, one), resolveKeeping(model.config, other));
  const named = (one: string, other: string) => alike(parsePolicy(one), parsePolicy(other));
  expect(named("full", "sinks:50%")).toBe(true);
  expect(named("heavy-hitters:8", "heavy-hitters:25%")).toBe(true);
  expect(named("snap-kv:34", "pyramid-kv:50")).toBe(true);
  expect(named("snap-kv:34", "snap-kv:34,window=16")).toBe(false);
  expect(named("full", "window:8")).toBe(false);
  expect(named("window:8", "window:9")).toBe(false);
  expect(named("full", "heavy-hitters:8")).toBe(false);
  expect(named("heavy-hitters:8", "last-query:8")).toBe(false);
  expect(alike(policies.heavyHitters({ budget: 8, duringPrompt: true }), policies.heavyHitters({ budget: 8 }))).toBe(
    false,
  );
  const own = { name: "own", keep: () => null };
  expect(alike(own, { ...own, keep: () => null })).toBe(false);
  expect(alike(own, { ...own })).toBe(true);
});

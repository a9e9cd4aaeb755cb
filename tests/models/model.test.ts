// A whole model as people use it: generation from several sides at once, batches and samples, aborts, scores.

import { collect, loadModel, policies, type Device, type Model } from "kedge";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testDevice } from "../support/devices.ts";

const SHIPPED = "models/kedge-js-5m";
const HEADS = [
  "/**\n * Keep the even numbers.\n */\nfunction even(nums) {\n",
  "/**\n * Remove duplicate words, then sort the words by length.\n */\nfunction tidy(words) {\n",
  "/**\n * Add 3 to each number and return the largest.\n */\nfunction top(values) {\n",
];

describe("a model", () => {
  let device: Device;
  let model: Model;
  const options = { maxTokens: 40, ignoreEndTokens: true } as const;
  beforeAll(async () => {
    device = await testDevice("wasm");
    model = await loadModel(SHIPPED, { device });
  });
  afterAll(async () => {
    await model.dispose();
    await device.dispose();
  });
  const textOf = async (prompt: string, more: object = {}) =>
    (await model.complete(prompt, { ...options, ...more })).text;

  test("complete is generate, collected, and refuses several samples in one sentence", async () => {
    const collected = await collect(model.generate(HEADS[0]!, { ...options, logProbs: 1 }));
    expect([await model.complete(HEADS[0]!, { ...options, logProbs: 1, samples: 1 })]).toEqual(collected);
    await expect(model.complete(HEADS[0]!, { samples: 3 })).rejects.toThrow(
      "complete gives 1 text, but samples is 3: use collect(model.generate(…)) for several",
    );
  });

  test("writes the same alone, in a batch, and beside other generations, passes and scores", async () => {
    const alone: string[] = [];
    for (const head of HEADS) alone.push(await textOf(head));
    const batch = await collect(model.generateBatch(HEADS, options));
    expect(batch.map(({ text }) => text)).toEqual(alone);
    const score = (await model.score(HEADS[0]!)).totalLogProb;
    const together = await Promise.all([
      ...HEADS.map((head) => textOf(head)),
      textOf(HEADS[0]!, { cache: policies.heavyHitters({ budget: 24 }) }),
      model.forward(HEADS[1]!, { capture: ["blocks.*.attn.hook_pattern"] }),
      model.score(HEADS[0]!),
    ]);
    expect(together.slice(0, 3)).toEqual(alone);
    expect((together[5] as { totalLogProb: number }).totalLogProb).toBeCloseTo(score, 3);
    expect(model.memory().cache.live).toBe(0);
  });

  test("writes the same with the rows of a batch filled again, from prompts that come one after the other", async () => {
    const prompts = [...HEADS, ...HEADS];
    const alone: string[] = [];
    for (const head of HEADS) alone.push(await textOf(head, { maxTokens: 12 }));
    async function* coming() {
      for (const prompt of prompts) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        yield prompt;
      }
    }
    const few = { ...options, maxTokens: 12 };
    for (const rows of [
      await collect(model.generateBatch(coming(), few)),
      await collect(model.generateBatch(prompts, { ...few, rows: 2 })),
    ]) {
      expect(rows.map(({ promptIndex }) => promptIndex)).toEqual([...prompts.keys()]);
      expect(rows.map(({ text }) => text)).toEqual([...alone, ...alone]);
    }
    const anchored = HEADS.map((prompt) => ({ prompt, anchors: [prompt.slice(4, 12)] }));
    const anchoring = { strength: 1.2 };
    const held = await collect(model.generateBatch(anchored, { ...few, rows: 2, anchoring }));
    expect(held).toEqual(await collect(model.generateBatch(anchored, { ...few, anchoring })));
    await expect(collect(model.generateBatch(prompts, { rows: 0 }))).rejects.toThrow(
      "generate: rows must be a whole number",
    );
    expect(model.memory().cache.live).toBe(0);
  });

  test("the same seed writes the same text, samples differ, and the first of them is the plain run", async () => {
    const drawn = { temperature: 1, seed: 3 };
    const first = await textOf(HEADS[0]!, drawn);
    expect(await textOf(HEADS[0]!, drawn)).toBe(first);
    const samples = await collect(model.generate(HEADS[0]!, { ...options, ...drawn, samples: 3 }));
    expect(samples[0]!.text).toBe(first);
    expect(new Set(samples.map(({ text }) => text)).size).toBeGreaterThan(1);
  });

  test("log-probabilities of a greedy text are those that scoring it gives", async () => {
    const [row] = await collect(model.generate(HEADS[0]!, { ...options, logProbs: 2 }));
    const prompt = model.tokenize(HEADS[0]!);
    const { logProbs } = await model.score([...prompt, ...row!.tokens]);
    for (const [i, chosen] of row!.logProbs!.entries()) {
      expect(chosen.logProb).toBeCloseTo(logProbs[prompt.length - 1 + i]!, 3);
      expect(chosen.alternatives[0]!.token).toBe(row!.tokens[i]);
    }
  });

  test("a score with alternatives has the likeliest tokens of every place, with the numbers of the plain score", async () => {
    const tokens = model.tokenize(HEADS[0]!);
    const plain = await model.score(tokens);
    const { alternatives, ...rest } = await model.score(tokens, { alternatives: 3 });
    expect(plain.alternatives).toBeUndefined();
    expect(alternatives).toHaveLength(tokens.length);
    for (const [i, logProb] of rest.logProbs.entries()) {
      expect(logProb).toBeCloseTo(plain.logProbs[i]!, 4);
      const places = alternatives![i]!;
      expect(places.map((one) => one.logProb)).toEqual(places.map((one) => one.logProb).sort((a, b) => b - a));
      const same = places.find(({ token }) => token === tokens[i + 1]);
      if (same) expect(same.logProb).toBe(logProb);
    }
    const [row] = await collect(model.generate(tokens, { maxTokens: 1, ignoreEndTokens: true, logProbs: 3 }));
    expect(alternatives!.at(-1)!.map(({ token }) => token)).toEqual(
      row!.logProbs![0]!.alternatives.map(({ token }) => token),
    );
    expect(model.memory().cache.live).toBe(0);
    await expect(model.score(tokens, { alternatives: 0 })).rejects.toThrow(
      "alternatives must be a whole number of at least 1; it is 0",
    );
  });

  test("an abort ends a generation within one token, in the middle of a prompt too", async () => {
    const abort = new AbortController();
    let tokens = 0;
    const run = async () => {
      for await (const piece of model.generate(HEADS[0]!, { ...options, maxTokens: 500, signal: abort.signal })) {
        tokens += piece.tokens.length;
        if (tokens >= 5) abort.abort(new Error("enough"));
      }
    };
    await expect(run()).rejects.toThrow("enough");
    expect(tokens).toBeLessThan(8);
    const early = new AbortController();
    const long = model.generate(Array(900).fill(7) as number[], { ...options, signal: early.signal });
    const reading = long.next();
    early.abort(new Error("no more"));
    await expect(reading).rejects.toThrow("no more");
    expect(model.memory().cache.live).toBe(0);
  });

  test("a hook on logits decides what can be said", async () => {
    const [brace] = model.tokenize("}");
    const only = (logits: Float32Array) => {
      for (const token of logits.keys()) if (token !== brace) logits[token] = -Infinity;
    };
    expect(await textOf(HEADS[0]!, { logitsHook: only, maxTokens: 3 })).toBe("}}}");
  });
});

// Selective Prompt Anchoring through the whole engine: the goldens, the identities that define it, and what its rows cost.

import { readFile } from "node:fs/promises";
import {
  byNeglect,
  collect,
  loadModel,
  policies,
  type PromptAnchor,
  type Device,
  type Model,
  type ModelGenerateOptions,
} from "kedge";
import type { SafetensorsFile } from "kedge/loaders";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EngineDecoder } from "../../engine/model/engine-decoder.ts";
import { DEVICES, FAST_DEVICES, testDevice } from "../support/devices.ts";
import { golden, goldenPath, openGoldens, rowOf } from "../support/goldens.ts";
import { openSteps } from "../support/steps.ts";
import { randomTokens, tinyFolder } from "../support/tiny-model.ts";

/** Greedy tokens after a prompt. */
async function tokensAfter(model: Model, prompt: readonly number[], options: ModelGenerateOptions): Promise<number[]> {
  const [row] = await collect(model.generate(prompt, { maxTokens: 16, ignoreEndTokens: true, ...options }));
  return [...row!.tokens];
}

function logSoftmax(logits: Float32Array): Float32Array {
  const whole = Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0));
  return logits.map((value) => value - whole);
}

describe("the goldens", () => {
  describe.each(DEVICES)("on %s", (name) => {
    let device: Device;
    let model: Model;
    let file: SafetensorsFile;
    let prompts: number[][];
    let anchors: PromptAnchor[][];
    beforeAll(async () => {
      device = await testDevice(name);
      model = await loadModel(goldenPath("anchors"), { device });
      file = await openGoldens(goldenPath("anchors/golden.safetensors"));
      const prompt = await golden(file, "spa.prompt");
      const masked = await golden(file, "spa.masked");
      prompts = [0, 1].map((row) => [...rowOf(prompt, row)]);
      // Masked places by group, one anchor each.
      anchors = prompts.map((tokens, row) =>
        [0, 1].flatMap((group) => {
          const other = rowOf(masked, row).subarray(group * tokens.length, (group + 1) * tokens.length);
          return tokens.flatMap((token, at) =>
            token === other[at] ? [] : [{ tokens: { begin: at, end: at + 1 }, group: String(group) }],
          );
        }),
      );
    });
    afterAll(async () => {
      await model.dispose();
      await device.dispose();
    });

    test.each(["-0.5,1.0", "0.0,1.0", "1.0,1.0", "1.25,1.6", "1.3,1.0", "2.0,0.5"])(
      "strengths %s: the logits at the prompt's end, and the greedy continuation",
      async (name_) => {
        const strengths = name_.split(",").map(Number);
        const logits = await golden(file, `spa.${name_}.logits`);
        const greedy = await golden(file, `spa.${name_}.greedy`);
        const batch = prompts.map((prompt, row) => ({
          prompt,
          anchors: anchors[row]!.map((anchor) => ({
            ...(anchor as { tokens: { begin: number; end: number }; group: string }),
            strength: strengths[Number((anchor as { group: string }).group)]!,
          })),
        }));
        const seen: Float32Array[] = [];
        const options = {
          cache: policies.full(),
          anchoring: { maskToken: 1 },
          maxTokens: 16,
          ignoreEndTokens: true,
          logitsHook: (values: Float32Array, { row }: { row: number }) => {
            seen[row] ??= values.slice();
          },
        };
        const rows = await collect(model.generateBatch(batch, options));
        for (const [row, prompt] of prompts.entries()) {
          const want = rowOf(logits, row);
          const scale = want.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
          // Where no second row runs, what comes out are the model's raw logits: compare log-softmaxes.
          const got = seen[row]!;
          const whole = Math.log(got.reduce((sum, value) => sum + Math.exp(value), 0));
          const isPlain = strengths.every((strength) => strength === 1);
          for (const [token, value] of want.entries()) {
            expect(Math.abs(got[token]! - (isPlain ? whole : 0) - value)).toBeLessThan(1e-4 * scale);
          }
          expect(rows[row]!.tokens).toEqual([...rowOf(greedy, row).subarray(prompt.length)]);
        }
      },
    );
  });
});

describe.each(FAST_DEVICES)("identities on %s", (name) => {
  let device: Device;
  let model: Model;
  const prompt = randomTokens(30, 50);
  const anchors: PromptAnchor[] = [{ tokens: { begin: 12, end: 15 } }, { tokens: { begin: 20, end: 22 } }];
  const masked = prompt.map((token, at) => ((at >= 12 && at < 15) || (at >= 20 && at < 22) ? 3 : token));
  const anchoring = { anchors, maskToken: 3 };
  beforeAll(async () => {
    device = await testDevice(name);
    model = await loadModel(tinyFolder(), { device });
  });
  afterAll(async () => {
    await model.dispose();
    await device.dispose();
  });

  test("strength 1 is the plain model, and runs no second row", async () => {
    const plain = await tokensAfter(model, prompt, {});
    const before = model.memory().cache.peak;
    expect(await tokensAfter(model, prompt, { anchoring: { ...anchoring, strength: 1 } })).toEqual(plain);
    expect(model.memory().cache.peak).toBe(before);
  });

  test("strength 0 is the masked prompt's own output", async () => {
    const want = await tokensAfter(model, masked, {});
    expect(await tokensAfter(model, prompt, { anchoring: { ...anchoring, strength: 0 } })).toEqual(want);
  });

  test("a mask that changes nothing gives the plain output for every strength", async () => {
    const same = { anchors: [{ tokens: { begin: 7, end: 8 } }], maskToken: prompt[7]! };
    const plain = await tokensAfter(model, prompt, {});
    for (const strength of [-1, 0.5, 1.5, 4]) {
      expect(await tokensAfter(model, prompt, { anchoring: { ...same, strength } })).toEqual(plain);
    }
  });

  test("the rows share what comes before the first masked token, and no more", async () => {
    const live: number[] = [];
    const { layers, kvHeads, headDim } = model.config;
    const tokenBytes = layers * 2 * kvHeads * headDim * 4;
    const logitsHook = () => void live.push(model.memory().cache.live);
    await tokensAfter(model, prompt, { anchoring: { ...anchoring, strength: 2 }, maxTokens: 3, logitsHook });
    expect(live).toEqual([30 + 18, 30 + 18 + 2, 30 + 18 + 4].map((tokens) => tokens * tokenBytes));
    expect(model.memory().cache.live).toBe(0);
  });

  test("the batched rows are two separate runs", async () => {
    const [a, b] = await Promise.all([
      model.forward(prompt, { logits: "last" }),
      model.forward(masked, { logits: "last" }),
    ]);
    const seen: Float32Array[] = [];
    const logitsHook = (logits: Float32Array) => void seen.push(logits.slice());
    await tokensAfter(model, prompt, { anchoring: { ...anchoring, strength: 1.7 }, maxTokens: 1, logitsHook });
    const [plain, second] = [logSoftmax(a.logits!.data), logSoftmax(b.logits!.data)];
    for (const [token, value] of plain.entries()) {
      const want = value + 0.7 * (value - second[token]!);
      expect(Math.abs(seen[0]![token]! - want)).toBeLessThan(1e-3);
    }
  });

  test("each row of a batch, and each sample, is what it would be alone", async () => {
    const other = randomTokens(26, 51);
    const options = { anchoring: { ...anchoring, strength: 1.6 }, maxTokens: 8, temperature: 0.9, seed: 5, samples: 2 };
    const rows = await collect(model.generateBatch([prompt, other], { ...options, ignoreEndTokens: true }));
    for (const [index, alone] of [prompt, other].entries()) {
      const single = await collect(model.generate(alone, { ...options, ignoreEndTokens: true }));
      for (const sample of [0, 1]) expect(rows[index * 2 + sample]!.tokens).toEqual(single[sample]!.tokens);
    }
  });

  test("works with every kind of cache policy", async () => {
    const kinds = [
      policies.window({ budget: 12 }),
      policies.sinks({ budget: 12, first: 2 }),
      policies.heavyHitters({ budget: 16 }),
      policies.snapKv({ budget: 12, window: 4 }),
    ];
    for (const cache of kinds) {
      const tokens = await tokensAfter(model, prompt, { cache, anchoring: { ...anchoring, strength: 1.5 } });
      expect(tokens).toHaveLength(16);
      const zero = await tokensAfter(model, prompt, { cache, anchoring: { ...anchoring, strength: 0 } });
      expect(zero).toEqual(await tokensAfter(model, masked, { cache }));
    }
    expect(model.memory().cache.live).toBe(0);
  });

  test("a strength that heeds neglect is told of attention, and changes the text", async () => {
    const asked: number[] = [];
    const rule = byNeglect({ strength: 6 });
    const strength = Object.assign(
      (step: Parameters<typeof rule>[0]) => {
        asked.push(step.shares![step.group]!.recent);
        return rule(step);
      },
      { needsShares: true },
    );
    await tokensAfter(model, prompt, { anchoring: { ...anchoring, strength } });
    expect(asked).toHaveLength(16);
    expect(asked[0]).toBeCloseTo(5 / 30, 6);
    expect(new Set(asked.slice(1)).size).toBeGreaterThan(8);
    expect(asked.every((share) => share > 0 && share < 1)).toBe(true);
  });

  test.each([
    policies.heavyHitters({ budget: 16 }),
    policies.lastQuery({ budget: 16 }),
    policies.keyNorm({ budget: 16 }),
    policies.snapKv({ budget: 12, window: 4 }),
    policies.pyramidKv({ budget: 12, window: 4 }),
  ])("byNeglect is told the attention to the keys that the last layer holds under $name", async (policy) => {
    const { steps } = await openSteps(device);
    const decoder = new EngineDecoder(steps, { policy });
    const told: { position: number; weights: Float32Array }[] = [];
    const sequence = decoder.openWatched((position, weights) => void told.push({ position, weights }));
    const held = () => [...sequence.stored.lists.at(-1)!.positions()];
    const strength = byNeglect({ strength: 3 });
    await decoder.logits([{ sequence, tokens: prompt }]);
    const kept = held();
    expect(kept.length).toBeLessThan(prompt.length);
    for (const token of randomTokens(6, 52)) {
      const before = held();
      await decoder.logits([{ sequence, tokens: [token] }]);
      const { position, weights } = told.at(-1)!;
      const seen = [...weights.keys()].filter((key) => weights[key] !== 0);
      // A softmax gives every key some attention; the newest key is the only one that was not held before.
      expect(seen).toEqual([...before, position]);
      expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 4);
    }
    // What the rule makes of it: a share between nothing and everything, of the keys that are left of the group.
    const shares: number[] = [];
    const recording = Object.assign(
      (step: Parameters<typeof strength>[0]) => {
        shares.push(step.shares![step.group]!.recent);
        return strength(step);
      },
      { needsShares: true },
    );
    const anchored = { ...anchoring, strength: recording };
    await tokensAfter(model, prompt, { cache: policy, anchoring: anchored });
    expect(shares).toHaveLength(16);
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
    decoder.close(sequence);
    steps.dispose();
  });

  test("exact mode amplifies the embeddings: 1 is the plain prompt, 0 the masked one", async () => {
    const exact = { ...anchoring, mode: "exact" as const };
    expect(await tokensAfter(model, prompt, { anchoring: { ...exact, strength: 1 } })).toEqual(
      await tokensAfter(model, prompt, {}),
    );
    expect(await tokensAfter(model, prompt, { anchoring: { ...exact, strength: 0 } })).toEqual(
      await tokensAfter(model, masked, {}),
    );
    const errors = await model.compareWithExact(prompt, [0, 0.9, 1, 1.1, 2], anchoring);
    expect(errors.map(({ strength }) => strength)).toEqual([0, 0.9, 1, 1.1, 2]);
    expect(errors[0]!.kl).toBeLessThan(1e-6);
    expect(errors[2]!.kl).toBeLessThan(1e-6);
    expect(errors[4]!.kl).toBeGreaterThan(errors[3]!.kl);
  });

  test("stand-ins: zeros, the mean embedding and a vector are what the rows read", async () => {
    const { dim, vocabSize } = model.config;
    const rows = await model.forward(
      Array.from({ length: vocabSize }, (_, token) => token),
      {
        capture: ["hook_embed"],
        logits: "none",
      },
    );
    const table = rows.captured["hook_embed"]!.data;
    const mean = Float32Array.from({ length: dim }, (_, i) => {
      let sum = 0;
      for (let token = 0; token < vocabSize; token++) sum += table[token * dim + i]!;
      return sum / vocabSize;
    });
    const run = (standIn: NonNullable<ModelGenerateOptions["anchoring"]>["standIn"]) =>
      tokensAfter(model, prompt, { anchoring: { anchors, strength: 0, standIn } });
    expect(await run({ kind: "mean" })).toEqual(await run({ kind: "vector", vector: mean }));
    expect(await run({ kind: "zeros" })).toEqual(await run({ kind: "vector", vector: new Float32Array(dim) }));
    const third = table.subarray(3 * dim, 4 * dim);
    expect(await run({ kind: "vector", vector: third })).toEqual(await run({ kind: "token", token: 3 }));
  });

  test("guidance, a negative prompt and a context are the same machinery", async () => {
    const plain = await tokensAfter(model, prompt, {});
    expect(await tokensAfter(model, prompt, { contrast: { method: "guidance", scale: 1 } })).toEqual(plain);
    expect(await tokensAfter(model, prompt, { contrast: { method: "guidance", scale: 0 } })).toEqual(
      await tokensAfter(model, prompt.slice(-1), {}),
    );
    const negative = { method: "negative-prompt", scale: 0, prompt: masked } as const;
    expect(await tokensAfter(model, prompt, { contrast: negative })).toEqual(await tokensAfter(model, masked, {}));
    const context = { method: "context", alpha: -1, context: anchors } as const;
    const without = prompt.filter((_, at) => !((at >= 12 && at < 15) || (at >= 20 && at < 22)));
    expect(await tokensAfter(model, prompt, { contrast: context })).toEqual(await tokensAfter(model, without, {}));
  });

  test("an abort and a break leave no keys behind", async () => {
    const abort = new AbortController();
    const options = { anchoring: { ...anchoring, strength: 2 }, ignoreEndTokens: true, maxTokens: 60 };
    const run = async () => {
      let seen = 0;
      const pieces = model.generate(prompt, {
        ...options,
        signal: abort.signal,
        stopWhen: () => {
          if (++seen === 3) abort.abort(new Error("enough"));
          return false;
        },
      });
      for await (const _ of pieces);
    };
    await expect(run()).rejects.toThrow("enough");
    expect(model.memory().cache.live).toBe(0);
  });

  test("what cannot be is refused in a sentence", async () => {
    const run = tokensAfter.bind(null, model, prompt);
    await expect(run({ anchoring: { maskToken: 3 } })).rejects.toThrow("0 anchors are named");
    await expect(run({ anchoring: { anchors: ["text"], maskToken: 3 } })).rejects.toThrow("named by its characters");
    await expect(run({ anchoring: { anchors } })).rejects.toThrow("name a token to stand in");
    await expect(run({ anchoring: { ...anchoring, strength: Number.NaN } })).rejects.toThrow("must be a finite number");
    await expect(run({ anchoring, contrast: { method: "guidance", scale: 2 } })).rejects.toThrow("choose 1 of the 2");
  });
});

describe("the shipped model", () => {
  test("takes tags out of the prompt, reports what stands in, and anchors only after a failed check", async () => {
    const device = await testDevice("wasm");
    const model = await loadModel("models/kedge-js-5m", { device });
    const { text } = JSON.parse(await readFile("models/kedge-js-5m/greedy.json", "utf8")) as { text: string };
    const tagged = text.replace("Keep only the even numbers", "<anchor>Keep only the even numbers</anchor>");
    const notes: string[] = [];
    const anchoring = { strength: 1.3, onNote: (note: string) => void notes.push(note) };
    const options = { maxTokens: 24, ignoreEndTokens: true };
    const plain = await collect(model.generate(text, options));
    const unchanged = await collect(model.generate(tagged, { ...options, anchoring: { ...anchoring, strength: 1 } }));
    expect(unchanged[0]!.text).toBe(plain[0]!.text);
    expect(notes.join(" ")).toContain("mask");
    const passed = await model.generateUntilPassed(tagged, () => true, { ...options, anchoring });
    expect(passed).toMatchObject({ passed: true, isAnchored: false, text: plain[0]!.text });
    const failed = await model.generateUntilPassed(tagged, () => false, { ...options, anchoring: { strength: 3 } });
    const anchored = await collect(model.generate(tagged, { ...options, anchoring: { strength: 3 } }));
    expect(failed).toMatchObject({ passed: false, isAnchored: true, text: anchored[0]!.text });
    await model.dispose();
    await device.dispose();
  });
});

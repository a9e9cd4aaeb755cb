// The same numbers whichever way a sequence goes through the engine: whole, in chunks, token by token, beside others, fused or
// open, forked or not.

import { loadModel, type Device, type Model } from "kedge";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tokenLogProbs } from "../../engine/model/token-log-probs.ts";
import { DEVICES, testDevice } from "../support/devices.ts";
import { openSteps, type OpenedSteps } from "../support/steps.ts";
import { randomTokens, tinyFolder } from "../support/tiny-model.ts";

const zero = ({ data }: { data: Float32Array }) => void data.fill(0);
const short = () => new Float32Array(3);

/** Largest difference between two lists of numbers of the same length. */
function difference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0);
}

describe.each(DEVICES)("on %s", (name) => {
  let device: Device;
  let opened: OpenedSteps;
  let tolerance: number;
  beforeAll(async () => {
    device = await testDevice(name);
    opened = await openSteps(device, { chunkRows: 64 });
    tolerance = name === "reference" ? 1e-6 : 2e-4;
  });
  afterAll(async () => {
    opened.steps.dispose();
    await device.dispose();
  });

  /** Logits after the last token, fed in pieces of so many tokens. */
  async function logitsOf(tokens: readonly number[], step: number, { decoder } = opened): Promise<Float32Array> {
    const sequence = decoder.open();
    let last = new Float32Array();
    for (let begin = 0; begin < tokens.length; begin += step) {
      const [logits] = await decoder.logits([{ sequence, tokens: tokens.slice(begin, begin + step) }]);
      last = logits!.slice();
    }
    decoder.close(sequence);
    return last;
  }

  test("a prompt at once is the prompt in pieces and token by token", async () => {
    const tokens = randomTokens(75);
    const whole = await logitsOf(tokens, 75);
    for (const step of [1, 7, 32, 74]) expect(difference(await logitsOf(tokens, step), whole)).toBeLessThan(tolerance);
  });

  test("the size of chunks does not matter", async () => {
    const tokens = randomTokens(90, 2);
    const small = await openSteps(device, { chunkRows: 13 });
    expect(difference(await logitsOf(tokens, 90, small), await logitsOf(tokens, 90))).toBeLessThan(tolerance);
    small.steps.dispose();
  });

  test("each row of a batch of different lengths is its own single run", async () => {
    const prompts = [randomTokens(3, 3), randomTokens(70, 4), randomTokens(1, 5), randomTokens(31, 6)];
    const sequences = prompts.map(() => opened.decoder.open());
    const together = await opened.decoder.logits(prompts.map((tokens, i) => ({ sequence: sequences[i]!, tokens })));
    const next = await opened.decoder.logits(sequences.map((sequence, i) => ({ sequence, tokens: [i + 1] })));
    for (const [i, tokens] of prompts.entries()) {
      expect(difference(together[i]!, await logitsOf(tokens, tokens.length))).toBeLessThan(tolerance);
      expect(difference(next[i]!, await logitsOf([...tokens, i + 1], 80))).toBeLessThan(tolerance);
    }
    for (const sequence of sequences) opened.decoder.close(sequence);
  });

  test("the device's greedy token is the largest logit's", async () => {
    for (let seed = 10; seed < 15; seed++) {
      const tokens = randomTokens(20, seed);
      const logits = await logitsOf(tokens, 20);
      const sequence = opened.decoder.open();
      const [best] = await opened.decoder.greedy([{ sequence, tokens }]);
      opened.decoder.close(sequence);
      expect(best).toBe(logits.indexOf(Math.max(...logits)));
    }
  });

  test("a fork goes its own way and leaves the other alone", async () => {
    const tokens = randomTokens(30, 20);
    const first = opened.decoder.open();
    await opened.decoder.greedy([{ sequence: first, tokens }]);
    const live = opened.steps.cacheBytes().live;
    const second = opened.decoder.fork(first);
    expect(opened.steps.cacheBytes().live).toBe(live);
    const [a, b] = await opened.decoder.logits([
      { sequence: first, tokens: [1] },
      { sequence: second, tokens: [2] },
    ]);
    expect(difference(a!, await logitsOf([...tokens, 1], 40))).toBeLessThan(tolerance);
    expect(difference(b!, await logitsOf([...tokens, 2], 40))).toBeLessThan(tolerance);
    opened.decoder.close(first);
    const [c] = await opened.decoder.logits([{ sequence: second, tokens: [3] }]);
    expect(difference(c!, await logitsOf([...tokens, 2, 3], 40))).toBeLessThan(tolerance);
    opened.decoder.close(second);
  });

  test("closed sequences leave nothing behind, and the cache grows with what is alive", async () => {
    const before = opened.steps.cacheBytes();
    expect(before.live).toBe(0);
    const sequences = Array.from({ length: 5 }, () => opened.decoder.open());
    await opened.decoder.greedy(sequences.map((sequence, i) => ({ sequence, tokens: randomTokens(40, i) })));
    const { layers, kvHeads, headDim } = opened.config;
    const { live, allocated } = opened.steps.cacheBytes();
    expect(live).toBe(5 * 40 * layers * 2 * kvHeads * headDim * 4);
    expect(allocated).toBeGreaterThanOrEqual(live);
    const perNumber = name === "reference" ? 2 : 1;
    expect(device.memory().cache).toBeGreaterThanOrEqual(allocated * perNumber);
    for (const sequence of sequences) opened.decoder.close(sequence);
    expect(opened.steps.cacheBytes().live).toBe(0);
    expect(opened.steps.cacheBytes().peak).toBeGreaterThanOrEqual(live);
  });

  test("log-probabilities of tokens are those of the logits before them", async () => {
    const tokens = randomTokens(80, 30);
    const scored = await tokenLogProbs(opened.steps, tokens);
    expect(scored).toHaveLength(79);
    for (const at of [1, 40, 79]) {
      const logits = await logitsOf(tokens.slice(0, at), at);
      const total = logits.reduce((sum, value) => sum + Math.exp(value), 0);
      expect(scored[at - 1]).toBeCloseTo(logits[tokens[at]!]! - Math.log(total), name === "reference" ? 5 : 3);
    }
  });

  test("what cannot be is refused in a sentence, and nothing is half done", async () => {
    const sequence = opened.decoder.open();
    await expect(opened.decoder.logits([{ sequence, tokens: randomTokens(161) }])).rejects.toThrow(
      "the sequence would have 161 tokens; the model's context holds 160",
    );
    await expect(opened.decoder.logits([{ sequence, tokens: [67] }])).rejects.toThrow(
      "token 67 is not in the vocabulary of 67",
    );
    await expect(opened.decoder.logits([{ sequence, tokens: [] }])).rejects.toThrow("feed 0 has 0 tokens");
    const twice = [
      { sequence, tokens: [1] },
      { sequence, tokens: [2] },
    ];
    await expect(opened.decoder.logits(twice)).rejects.toThrow(
      "feed 1 names a sequence that an earlier feed names already",
    );
    const abort = new AbortController();
    abort.abort(new Error("enough"));
    await expect(opened.decoder.logits([{ sequence, tokens: [1] }], abort.signal)).rejects.toThrow("enough");
    opened.decoder.close(sequence);
  });

  test("a cache with a limit says so before it overwrites anything", async () => {
    const small = await openSteps(device, { maxSlots: 100 });
    const [first, second] = [small.decoder.open(), small.decoder.open()];
    await small.decoder.logits([{ sequence: first, tokens: randomTokens(60) }]);
    await expect(small.decoder.logits([{ sequence: second, tokens: randomTokens(41) }])).rejects.toThrow(
      "the cache needs 101 slots, but may have 100",
    );
    const [logits] = await small.decoder.logits([{ sequence: first, tokens: [1] }]);
    expect(difference(logits!, await logitsOf([...randomTokens(60), 1], 64))).toBeLessThan(tolerance);
    small.steps.dispose();
  });
});

describe.each(DEVICES)("looking inside on %s", (name) => {
  let device: Device;
  let model: Model;
  const tokens = randomTokens(40, 40);
  const tolerance = name === "reference" ? 1e-6 : 2e-4;
  beforeAll(async () => {
    device = await testDevice(name);
    model = await loadModel(tinyFolder(), { device });
  });
  afterAll(async () => {
    await model.dispose();
    await device.dispose();
  });

  test("capturing everything changes no logit", async () => {
    const plain = await model.forward(tokens);
    const names = ["hook_embed", "blocks.*.*", "blocks.*.*.*", "ln_final.*"];
    const open = await model.forward(tokens, { capture: names });
    expect(difference(open.logits!.data, plain.logits!.data)).toBeLessThan(tolerance);
    expect(open.captured["blocks.1.attn.hook_pattern"]!.shape).toEqual([4, 40, 40]);
    expect(open.captured["blocks.2.attn.hook_q"]!.shape).toEqual([40, 4, 20]);
    expect(open.captured["blocks.2.attn.hook_k"]!.shape).toEqual([40, 2, 20]);
    expect(open.captured["blocks.0.mlp.hook_post"]!.shape).toEqual([40, 72]);
  });

  test("patterns are causal, and their rows add up to 1", async () => {
    const { captured } = await model.forward(tokens, { capture: ["blocks.*.attn.hook_pattern"], logits: "none" });
    for (const { data } of Object.values(captured)) {
      for (let line = 0; line < 4 * 40; line++) {
        const row = data.subarray(line * 40, (line + 1) * 40);
        expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 4);
        expect(row.subarray((line % 40) + 1).every((weight) => weight === 0)).toBe(true);
      }
    }
  });

  test("a hook that returns what it was given changes nothing, at every tap", async () => {
    const plain = await model.forward(tokens);
    const seen: string[] = [];
    const hooks = Object.fromEntries(
      ["hook_embed", "blocks.*.*", "blocks.*.*.*", "ln_final.*"].map((pattern) => [
        pattern,
        ({ name: tap, data }: { name: string; data: Float32Array }) => {
          seen.push(tap);
          return data;
        },
      ]),
    );
    const hooked = await model.forward(tokens, { hooks });
    // On the reference device what passes through a hook is rounded to f32.
    expect(difference(hooked.logits!.data, plain.logits!.data)).toBeLessThan(2e-4);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toContain("blocks.2.attn.hook_attn_scores");
  });

  test("hooks reach what comes after them", async () => {
    const { captured } = await model.forward(tokens, {
      hooks: { "blocks.1.hook_attn_out": zero, "blocks.1.hook_mlp_out": zero },
      capture: ["blocks.1.hook_resid_pre", "blocks.1.hook_resid_post"],
    });
    const [before, after] = ["pre", "post"].map((when) => captured[`blocks.1.hook_resid_${when}`]!.data);
    expect(difference(before!, after!)).toBe(0);
  });

  test("an edited pattern is what values are weighed by", async () => {
    const { captured } = await model.forward(tokens, {
      hooks: {
        // every query looks at itself alone
        "blocks.0.attn.hook_pattern": ({ shape, data }) => {
          data.fill(0);
          const [heads, queries, keys] = shape as [number, number, number];
          for (let line = 0; line < heads * queries; line++) data[line * keys + (line % queries)] = 1;
        },
      },
      capture: ["blocks.0.attn.hook_v", "blocks.0.attn.hook_z"],
    });
    const [v, z] = [captured["blocks.0.attn.hook_v"]!.data, captured["blocks.0.attn.hook_z"]!.data];
    for (let token = 0; token < 40; token++) {
      for (let head = 0; head < 4; head++) {
        const got = z.subarray((token * 4 + head) * 20, (token * 4 + head + 1) * 20);
        const want = v.subarray((token * 2 + (head >> 1)) * 20, (token * 2 + (head >> 1) + 1) * 20);
        expect(difference(got, want)).toBeLessThan(1e-5);
      }
    }
  });

  test("the last row's logits alone are the last of all", async () => {
    const all = await model.forward(tokens);
    const last = await model.forward(tokens, { logits: "last" });
    expect(last.logits!.shape).toEqual([1, 67]);
    expect(difference(last.logits!.data, all.logits!.data.subarray(39 * 67))).toBeLessThan(tolerance);
  });

  test("leaves no keys and gives its room back", async () => {
    const capture = ["blocks.*.attn.hook_pattern"];
    await model.forward(tokens.slice(0, 2), { capture });
    const before = model.memory();
    await model.forward(randomTokens(150), { capture });
    const after = model.memory();
    expect(after.cache.live).toBe(0);
    // The table of keys may have grown; the patterns, 150 x 4 x 150 numbers, must be gone.
    expect(after.activations - before.activations).toBeLessThan(16 * 1024);
  });

  test("a tap that does not exist is named", async () => {
    await expect(model.forward(tokens, { capture: ["blocks.9.hook_resid_pre"] })).rejects.toThrow(
      'no tap is called "blocks.9.hook_resid_pre"',
    );
    await expect(model.forward(tokens, { hooks: { hook_embed: short } })).rejects.toThrow(
      "the hook on hook_embed returned 3 numbers; the tensor [40,48] has 1920",
    );
  });
});

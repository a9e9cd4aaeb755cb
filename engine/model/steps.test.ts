// The life of sequences, passes and models: what is closed or disposed of refuses, what is shared is not taken away, and nothing
// is left behind.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DeviceError, policies } from "../index.ts";
import { openSteps, type OpenedSteps } from "../../tests/support/steps.ts";
import { randomTokens, TINY } from "../../tests/support/tiny-model.ts";
import { ReferenceDevice } from "../devices/reference/reference-device.ts";
import { forward } from "./forward.ts";

let device: ReferenceDevice;
let opened: OpenedSteps;
beforeEach(async () => {
  device = new ReferenceDevice();
  opened = await openSteps(device);
});
afterEach(() => opened.steps.dispose());

const prompt = randomTokens(12);

describe("a sequence", () => {
  it("that is closed takes no tokens, has no fork, and leaves no keys", async () => {
    const { steps, decoder } = opened;
    const sequence = decoder.open();
    await decoder.greedy([{ sequence, tokens: prompt }]);
    decoder.close(sequence);
    await expect(decoder.greedy([{ sequence, tokens: [1] }])).rejects.toThrow("this sequence is closed");
    await expect(decoder.logits([{ sequence, tokens: [1] }])).rejects.toThrow("this sequence is closed");
    expect(() => decoder.fork(sequence)).toThrow("is closed");
    decoder.close(sequence);
    expect(steps.cacheBytes().live).toBe(0);
  });

  it("of another model is refused", async () => {
    const other = await openSteps(device);
    const sequence = other.decoder.open();
    const refusal = "this sequence was not opened by this model";
    await expect(opened.decoder.greedy([{ sequence, tokens: [1] }])).rejects.toThrow(refusal);
    expect(() => opened.decoder.close(sequence)).toThrow(refusal);
    expect(() => opened.decoder.fork(sequence)).toThrow(refusal);
    other.steps.dispose();
  });

  it("is told its newest token's attention with the keys of the layer, whatever the policy keeps in it", async () => {
    const { steps, decoder } = opened;
    for (const policy of [policies.pyramidKv({ budget: 20, window: 6 }), policies.keyNorm({ budget: 20 })]) {
      const sequence = steps.open({ policy, watchedLayers: [0, 2] });
      const told: string[] = [];
      const own: string[] = [];
      sequence.onAttention = ({ layers }) => {
        for (const [layer, { positions, weights }] of layers) {
          told.push(`${layer}: ${positions.join()}`);
          own.push(`${layer}: ${sequence.stored.lists[layer]!.positions().join()}`);
          expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5);
        }
      };
      await decoder.greedy([{ sequence, tokens: randomTokens(45, 60) }]);
      for (const token of [1, 2]) await decoder.greedy([{ sequence, tokens: [token] }]);
      expect(told).toEqual(own);
      expect(new Set(told).size).toBeGreaterThan(3);
      decoder.close(sequence);
    }
  });
});

const { hidden_size: dim, vocab_size: vocabSize } = TINY;
const vectorsOf = (seed: number) => Float32Array.from({ length: dim }, (_, i) => Math.sin(seed + i));

describe("vectors", () => {
  it("are tokens of the sequence that was opened with them and of its forks, and of no other", async () => {
    const { steps, decoder } = opened;
    const activations = device.memory().activations;
    const vectors = Float32Array.from({ length: 2 * dim }, (_, i) => Math.sin(i));
    const refusal = `token ${vocabSize} is not in the vocabulary of ${vocabSize}`;
    const sequence = decoder.open({ vectors });
    await decoder.greedy([{ sequence, tokens: [1, vocabSize, 2, vocabSize + 1] }]);
    await expect(decoder.greedy([{ sequence, tokens: [vocabSize + 2] }])).rejects.toThrow("is not in the vocabulary");
    const fork = decoder.fork(sequence);
    decoder.close(sequence);
    await decoder.greedy([{ sequence: fork, tokens: [vocabSize] }]);
    const plain = decoder.open();
    await expect(decoder.greedy([{ sequence: plain, tokens: [vocabSize] }])).rejects.toThrow(refusal);
    await expect(forward(steps, [vocabSize])).rejects.toThrow(refusal);
    decoder.close(fork);
    expect(device.memory().activations).toBe(activations);
    decoder.close(plain);
  });

  it("of several sequences are kept apart", async () => {
    const { decoder } = opened;
    const alone: Float32Array[] = [];
    for (const seed of [1, 2, 3]) {
      const sequence = decoder.open({ vectors: vectorsOf(seed) });
      alone.push((await decoder.logits([{ sequence, tokens: [4, vocabSize] }]))[0]!.slice());
      decoder.close(sequence);
    }
    const sequences = [1, 2, 3].map((seed) => decoder.open({ vectors: vectorsOf(seed) }));
    const together = await decoder.logits(sequences.map((sequence) => ({ sequence, tokens: [4, vocabSize] })));
    for (const [i, logits] of together.entries()) {
      expect(Math.max(...logits.map((value, token) => Math.abs(value - alone[i]![token]!)))).toBeLessThan(1e-6);
    }
    for (const sequence of sequences) decoder.close(sequence);
  });
});

describe("passes at once", () => {
  it("with other taps each keep their recording while they run", async () => {
    const { steps } = opened;
    const names = [0, 1, 2].flatMap((i) => [`blocks.${i}.attn.hook_pattern`, `blocks.${i}.attn.hook_attn_scores`]);
    const results = await Promise.all(names.map((name) => forward(steps, prompt, { capture: [name] })));
    for (const [i, { captured }] of results.entries()) {
      expect(Object.keys(captured)).toEqual([names[i]]);
      const [again] = Object.values((await forward(steps, prompt, { capture: [names[i]!] })).captured);
      expect(captured[names[i]!]!.data).toEqual(again!.data);
    }
  });

  it("and steps between them give what each gives alone", async () => {
    const { steps, decoder } = opened;
    const alone = await forward(steps, prompt, { capture: ["blocks.1.hook_resid_post"] });
    const sequence = decoder.open();
    const [pass, [best]] = await Promise.all([
      forward(steps, prompt, { capture: ["blocks.1.hook_resid_post"] }),
      decoder.greedy([{ sequence, tokens: prompt }]),
    ]);
    expect(pass.captured["blocks.1.hook_resid_post"]!.data).toEqual(alone.captured["blocks.1.hook_resid_post"]!.data);
    const last = alone.logits!.row(-1);
    expect(best).toBe(last.indexOf(Math.max(...last)));
    decoder.close(sequence);
  });

  it("leave one alone that is aborted while it waits", async () => {
    const { steps } = opened;
    const abort = new AbortController();
    const name = "blocks.0.attn.hook_pattern";
    const [aborted, other] = [
      forward(steps, prompt, { capture: [name], signal: abort.signal }),
      forward(steps, prompt, { capture: [name] }),
    ];
    abort.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    expect((await other).captured[name]!.shape).toEqual([4, 12, 12]);
  });
});

describe("a model that was disposed of", () => {
  it("refuses sequences, steps and passes", async () => {
    const { steps, decoder } = opened;
    const sequence = decoder.open();
    steps.dispose();
    const refusal = "this model was disposed of: load it again";
    await expect(decoder.greedy([{ sequence, tokens: [1] }])).rejects.toThrow(refusal);
    await expect(decoder.greedy([{ sequence, tokens: [1] }])).rejects.toBeInstanceOf(DeviceError);
    await expect(forward(steps, prompt)).rejects.toThrow(refusal);
    await expect(forward(steps, prompt, { capture: ["hook_embed"] })).rejects.toThrow(refusal);
    expect(() => decoder.open()).toThrow(refusal);
    decoder.close(sequence);
    steps.dispose();
  });
});

// Caches of f16 and int8: the devices agree with the f64 reference of the very same rounded cache, results stay near those of
// f32, and what must be equal whatever keys are kept as is equal.

import { estimate, loadModel, policies, UnsupportedError, type CachePolicy, type Device, type Model } from "kedge";
import { cacheFormats, headWords, packHeads, seededRandom, slotBytes, unpackHeads } from "kedge/kernels";
import { loadConfig, openFolder } from "kedge/loaders";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CacheStore } from "../../engine/cache/store.ts";
import { FAST_DEVICES, testDevice } from "../support/devices.ts";
import { distance, golden, goldenPath, greedyTokens, openGoldens, rowOf } from "../support/goldens.ts";
import { randomTokens, tinyFolder } from "../support/tiny-model.ts";

const rounded = ["f16", "int8"] as const;
/** Logits of a rounded cache lie within this share of the largest logit from those of f32. */
const NEAR = { f16: 2e-3, int8: 0.05 } as const;
/** The same of the tiny model here, whose random attention looks at few keys and hangs on their last bits. */
const NEAR_TINY = { f16: 1e-2, int8: 0.2 } as const;
/** Logits of a device lie within this share from the reference's: numbers next to the middle of a step round either way. */
const AGREEMENT = { f16: 1e-3, int8: 1e-2 } as const;
const ANCHOR_MODEL = "models/kedge-js-5m-anchor";
const FAMILIES = ["llama", "qwen2", "gpt2", "gemma2", "phi"];

async function allLogits(model: Model, tokens: readonly number[], cache?: CachePolicy): Promise<Float32Array> {
  return (await model.forward(tokens, { logits: "all", ...(cache && { cache }) })).logits!.data;
}

describe.each(rounded)("%s", (cacheType) => {
  let reference: Model;
  let exact: Model;
  beforeAll(async () => {
    reference = await loadModel(tinyFolder(), { device: "reference", cacheType });
    exact = await loadModel(tinyFolder(), { device: "reference" });
  });
  afterAll(async () => {
    await reference.dispose();
    await exact.dispose();
  });

  test("rounds what the reference computes, and only a little", async () => {
    const tokens = randomTokens(40, 4);
    const { largest, scale } = distance(await allLogits(reference, tokens), await allLogits(exact, tokens));
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThanOrEqual(NEAR_TINY[cacheType] * scale);
  });

  test("gives the reference the same whatever the chunks, and forks what it gives a sequence of its own", async () => {
    const tokens = randomTokens(23, 4);
    const want = await greedyTokens(reference, tokens, 12);
    for (const chunkRows of [1, 5]) {
      const chunked = await loadModel(tinyFolder(), { device: "reference", cacheType, chunkRows });
      expect(await greedyTokens(chunked, tokens, 12)).toEqual(want);
      await chunked.dispose();
    }
    const texts = new Map<number, number[]>();
    for await (const { sampleIndex, tokens: more } of reference.generate(tokens, {
      samples: 3,
      maxTokens: 12,
      ignoreEndTokens: true,
    })) {
      texts.set(sampleIndex, [...(texts.get(sampleIndex) ?? []), ...more]);
    }
    expect([...texts.values()]).toEqual([want, want, want]);
  });

  describe.each(FAST_DEVICES.filter((name) => name !== "reference"))("on %s", (name) => {
    let device: Device;
    let model: Model;
    beforeAll(async () => {
      device = await testDevice(name);
      model = await loadModel(tinyFolder(), { device, cacheType });
    });
    afterAll(() => device.dispose());

    test("computes what the reference makes of the same rounding, prefilling and step by step", async () => {
      const tokens = randomTokens(23, 4);
      const got = distance(await allLogits(model, tokens), await allLogits(reference, tokens));
      expect(got.largest).toBeLessThanOrEqual(AGREEMENT[cacheType] * got.scale);
      expect(await greedyTokens(model, tokens, 12)).toEqual(await greedyTokens(reference, tokens, 12));
    });

    test("keeps everything under the policy that does, to the bit", async () => {
      const tokens = randomTokens(31, 6);
      expect(await allLogits(model, tokens, policies.full())).toEqual(await allLogits(model, tokens));
    });

    test("feeds patterns, hooks and every statistic of keys", async () => {
      const tokens = randomTokens(31, 6);
      const tap = "blocks.1.attn.hook_pattern";
      const looked = { logits: "all", capture: [tap], hooks: { [tap]: () => undefined } } as const;
      const [got, want] = [await model.forward(tokens, looked), await reference.forward(tokens, looked)];
      const apart = distance(got.logits!.data, want.logits!.data);
      expect(apart.largest).toBeLessThanOrEqual(AGREEMENT[cacheType] * apart.scale);
      expect(distance(got.captured[tap]!.data, want.captured[tap]!.data).largest).toBeLessThanOrEqual(
        AGREEMENT[cacheType],
      );
      for (const cache of [
        policies.keyNorm({ budget: 12 }),
        policies.heavyHitters({ budget: 12 }),
        policies.snapKv({ budget: 12, window: 4, pool: 3 }),
      ]) {
        const options = { maxTokens: 8, ignoreEndTokens: true, cache };
        const texts = await Promise.all([model, reference].map((one) => tokensOf(one, tokens, options)));
        expect(texts[0], cache.name).toEqual(texts[1]);
      }
    });

    test.each([2, 6, 8])("takes heads of %i numbers", async (head_dim) => {
      const sizes = { head_dim, num_attention_heads: 6, num_key_value_heads: 3 };
      const tokens = randomTokens(19, 3);
      const [small, own] = [
        await loadModel(tinyFolder(sizes), { device, cacheType }),
        await loadModel(tinyFolder(sizes), { device: "reference", cacheType }),
      ];
      const { largest, scale } = distance(await allLogits(small, tokens), await allLogits(own, tokens));
      expect(largest).toBeLessThanOrEqual(AGREEMENT[cacheType] * scale);
      await small.dispose();
      await own.dispose();
    });
  });
});

async function tokensOf(
  model: Model,
  prompt: readonly number[],
  options: Parameters<Model["generate"]>[1],
): Promise<number[]> {
  const tokens: number[] = [];
  for await (const piece of model.generate(prompt, options)) tokens.push(...piece.tokens);
  return tokens;
}

describe.each(FAST_DEVICES)("moving slots on %s", (name) => {
  test.each(cacheFormats)("leaves the words of %s as they are", async (format) => {
    const packing = { format, headDim: 7 };
    const perSlot = slotBytes(packing, 3) / 4;
    const device = await testDevice(name);
    const store = new CacheStore(device, { layers: 2, kvHeads: 3, ...packing, isPerLayer: false, maxSlots: 1000 });
    await store.prepare();
    const sequence = store.open();
    const random = seededRandom(3);
    const { slots } = store.append([{ sequence, anchors: Array.from({ length: 300 }, () => false) }]);
    const heads = Array.from(slots, () =>
      packHeads(
        packing,
        Array.from({ length: 6 * 7 }, () => random.normal()),
      ),
    );
    const asTensor = (words: Uint32Array) => (format === "f32" ? new Float32Array(words.buffer) : words);
    for (const cache of store.caches) {
      for (const [i, slot] of slots.entries()) {
        device.write({ tensor: cache, data: asTensor(heads[i]!), offset: slot * perSlot });
      }
    }
    const keep = Array.from({ length: 30 }, (_, i) => i * 10 + 3);
    store.evict(sequence, 0, keep);
    expect(store.pools[0]!.slotCount).toBeLessThan(100);
    for (const cache of store.caches) {
      for (const [key, i] of keep.entries()) {
        const begin = sequence.lists[0]!.slot(key) * perSlot;
        const read = await device.read({ tensor: cache, begin, end: begin + perSlot });
        expect(new Uint32Array(read.buffer, read.byteOffset, perSlot)).toEqual(heads[i]);
      }
    }
    await device.dispose();
  });
});

describe("bytes", () => {
  test("are those of whole words a head, in estimate and in use", async () => {
    const config = await loadConfig(openFolder(ANCHOR_MODEL));
    const { layers, kvHeads, headDim } = config;
    // 64 numbers: 64 words; 32 words; 16 words of codes and one of two scales
    const words = { f32: 64, f16: 32, int8: 17 };
    expect(headDim).toBe(64);
    for (const cacheType of cacheFormats) {
      const perToken = layers * 2 * kvHeads * words[cacheType] * 4;
      expect(estimate(config, "f32", 100, cacheType)).toMatchObject({ cachePerToken: perToken, cache: 100 * perToken });
      const device = await testDevice("wasm");
      const before = device.memory().cache;
      const model = await loadModel(ANCHOR_MODEL, { device, cacheType });
      const pieces = model.generate(randomTokens(50, 1, 500), {
        maxTokens: 4,
        ignoreEndTokens: true,
        cache: policies.full(),
      });
      await pieces.next();
      expect(model.memory().cache.live).toBe(50 * perToken);
      expect(model.memory().cache.allocated).toBe(device.memory().cache - before);
      await pieces.return();
      expect(model.cacheType).toBe(cacheType);
      await device.dispose();
    }
    expect(words.f32 / words.f16).toBeGreaterThanOrEqual(1.9);
    expect(words.f32 / words.int8).toBeGreaterThanOrEqual(3.5);
  });

  test.each([1, 2, 3, 5, 33, 64, 80, 97])("of a head of %i numbers hold them", (headDim) => {
    const random = seededRandom(headDim);
    const numbers = Array.from({ length: 3 * headDim }, () => random.normal());
    for (const format of cacheFormats) {
      const packing = { format, headDim };
      const words = packHeads(packing, numbers);
      expect(words.length).toBe(3 * headWords(packing));
      const held = unpackHeads(packing, words);
      for (const [i, value] of numbers.entries()) {
        const group = numbers.slice(
          i - (i % headDim) + 32 * Math.floor((i % headDim) / 32),
          i - (i % headDim) + headDim,
        );
        const step = {
          f32: 2 ** -24,
          f16: 2 ** -11 * Math.abs(value) + 2 ** -25,
          int8: Math.max(...group.slice(0, 32).map(Math.abs)) / 253,
        };
        expect(Math.abs(held[i]! - value)).toBeLessThanOrEqual(
          format === "f32" ? step.f32 * Math.abs(value) : step[format],
        );
      }
      expect(packHeads(packing, held)).toEqual(words);
    }
  });
});

describe("int8 with everything else", () => {
  const prompt = "/**\n * Keep only the even numbers.\n * @param {number[]} nums\n */\nfunction keepEven(nums) {\n";

  test("anchors, token-wise and layer-wise, drop what they drop of f32, and hold the prompt", async () => {
    const device = await testDevice("wasm");
    const exact = await loadModel(ANCHOR_MODEL, { device });
    const model = await loadModel(ANCHOR_MODEL, { device, cacheType: "int8" });
    expect(model.config.anchors!.layerMap.size).toBeGreaterThan(0);
    const [got, want] = [await model.forward(prompt), await exact.forward(prompt)];
    const { largest, scale } = distance(got.logits!.data, want.logits!.data);
    expect(largest).toBeLessThanOrEqual(NEAR.int8 * scale);
    const bytes: number[] = [];
    for (const one of [model, exact]) {
      one.resetCacheStatistics();
      const options = {
        maxTokens: 24,
        ignoreEndTokens: true,
        anchoring: { strength: 1.4, anchors: [{ text: "even" }] },
      };
      const tokens = await tokensOf(one, one.tokenize(prompt), { maxTokens: 24, ignoreEndTokens: true });
      expect(tokens.length).toBe(24);
      bytes.push(one.cacheStatistics().mean);
      let text = "";
      for await (const piece of one.generate(prompt, options)) text += piece.text;
      expect(text.length).toBeGreaterThan(0);
    }
    expect(bytes[1]! / bytes[0]!).toBeCloseTo(64 / 17, 6);
    await device.dispose();
  });
});

test("another type is refused by name", async () => {
  const loading = loadModel(tinyFolder(), { device: "reference", cacheType: "q4" as "int8" });
  await expect(loading).rejects.toThrow(UnsupportedError);
  await expect(loading).rejects.toThrow('cacheType is "q4": use "f32", "f16" or "int8"');
});

describe("near the goldens", () => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice("wasm");
  });
  afterAll(() => device.dispose());

  test.each(FAMILIES.flatMap((name) => rounded.map((cacheType) => [name, cacheType] as const)))(
    "%s with %s: logits within a share of the largest",
    async (name, cacheType) => {
      const folder = goldenPath(name);
      const file = await openGoldens(`${folder}/golden.safetensors`);
      const [ids, logits] = [await golden(file, "input_ids"), await golden(file, "logits")];
      const model = await loadModel(folder, { device, cacheType });
      for (let row = 0; row < ids.shape[0]!; row++) {
        const { largest, scale } = distance(await allLogits(model, [...rowOf(ids, row)]), rowOf(logits, row));
        expect(largest).toBeLessThanOrEqual(NEAR[cacheType] * scale);
      }
      await model.dispose();
    },
  );
});

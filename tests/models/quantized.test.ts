// Models with int8 and int4 weights: the devices agree with the f64 reference of the very same quantized model, int8 stays near
// the stored model's goldens, and what is kept, counted and said is what was asked for.

import { estimate, loadModel, UnsupportedError, type Device, type Model } from "kedge";
import { loadConfig, openFolder } from "kedge/loaders";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAST_DEVICES, testDevice } from "../support/devices.ts";
import { distance, golden, goldenPath, greedyTokens, openGoldens, rowOf } from "../support/goldens.ts";
import { randomTokens, tinyFolder } from "../support/tiny-model.ts";

const formats = ["int8", "int4"] as const;
const JS_MODEL = "models/kedge-js-5m";
const FAMILIES = ["llama", "qwen2", "gpt2", "gemma2", "phi"];

function largestOf(values: Iterable<number>): number {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  return largest;
}

describe.each(formats)("%s", (quantize) => {
  let reference: Model;
  beforeAll(async () => {
    reference = await loadModel(tinyFolder(), { device: "reference", quantize });
  });
  afterAll(() => reference.dispose());

  describe.each(FAST_DEVICES.filter((name) => name !== "reference"))("on %s", (name) => {
    let device: Device;
    let model: Model;
    beforeAll(async () => {
      device = await testDevice(name);
      model = await loadModel(tinyFolder(), { device, quantize });
    });
    afterAll(() => device.dispose());

    test("computes what the reference makes of the same weights, prefilling and step by step", async () => {
      const tokens = randomTokens(23, 4);
      const want = (await reference.forward(tokens, { logits: "all" })).logits!.data;
      const bound = 1e-3 * largestOf(want);
      const { largest } = distance((await model.forward(tokens, { logits: "all" })).logits!.data, want);
      expect(largest).toBeLessThanOrEqual(bound);
      // one to four rows go another way on wasm, with x in 16 bits
      for (const count of [1, 2, 3, 4]) {
        const few = tokens.slice(0, count);
        const own = (await reference.forward(few, { logits: "all" })).logits!.data;
        const got = (await model.forward(few, { logits: "all" })).logits!.data;
        expect(distance(got, own).largest).toBeLessThanOrEqual(bound);
      }
      expect(await greedyTokens(model, tokens, 12)).toEqual(await greedyTokens(reference, tokens, 12));
    });

    test("takes less memory, and says that results differ", async () => {
      const own = device.memory().weights;
      const stored = await loadModel(tinyFolder(), { device });
      expect(own).toBeLessThan(0.5 * (device.memory().weights - own));
      await stored.dispose();
      expect(stored.notes).toEqual([]);
      expect(model.notes.join()).toContain(quantize);
    });
  });

  test("differs from the stored model, or nothing was quantized", async () => {
    const stored = await loadModel(tinyFolder(), { device: "reference" });
    const tokens = randomTokens(9, 2);
    const [a, b] = [await stored.forward(tokens), await reference.forward(tokens)];
    expect(distance(b.logits!.data, a.logits!.data).largest).toBeGreaterThan(1e-4 * largestOf(a.logits!.data));
    await stored.dispose();
  });

  test("takes the bytes that estimate says, where rows are whole groups and panels", async () => {
    const config = await loadConfig(openFolder(JS_MODEL));
    const model = await loadModel(JS_MODEL, { device: "wasm", threads: 1, quantize });
    const { weights, parameters } = estimate(config, quantize);
    expect(model.memory().weights).toBe(weights);
    expect(weights).toBeLessThan(parameters.total * (quantize === "int8" ? 1.1 : 1.0));
    await model.dispose();
  });
});

test("another format is refused by name", async () => {
  const loading = loadModel(tinyFolder(), { device: "reference", quantize: "int5" as "int4" });
  await expect(loading).rejects.toThrow(UnsupportedError);
  await expect(loading).rejects.toThrow('quantize is "int5": use "int8" or "int4"');
});

describe("int8 near the stored goldens", () => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice("wasm");
  });
  afterAll(() => device.dispose());

  // Random weights of a few layers: an error of 0.5 % a weight, and no training that has made the model robust to it.
  test.each(FAMILIES)("%s: logits within a tenth of the largest, the same argmax nine times in ten", async (name) => {
    const folder = goldenPath(name);
    const file = await openGoldens(`${folder}/golden.safetensors`);
    const model = await loadModel(folder, { device, quantize: "int8" });
    const [ids, logits] = [await golden(file, "input_ids"), await golden(file, "logits")];
    const { vocabSize } = model.config;
    let [same, positions] = [0, 0];
    for (let row = 0; row < ids.shape[0]!; row++) {
      const want = rowOf(logits, row);
      const got = (await model.forward([...rowOf(ids, row)])).logits!.data;
      const { largest, scale } = distance(got, want);
      expect(largest).toBeLessThanOrEqual(0.1 * scale);
      for (let begin = 0; begin < want.length; begin += vocabSize, positions++) {
        const argmax = (values: ArrayLike<number>) => {
          let best = begin;
          for (let i = begin; i < begin + vocabSize; i++) if (values[i]! > values[best]!) best = i;
          return best;
        };
        if (argmax(got) === argmax(want)) same++;
      }
    }
    expect(same / positions).toBeGreaterThanOrEqual(0.9);
  });
});

test("kedge-js-5m keeps its perplexity: within 1 % as int8, 6 % as int4", async () => {
  const text =
    "/**\n * Sum of the numbers of a list.\n */\nfunction sum(numbers) {\n  let total = 0;\n  for (const number of numbers) {\n" +
    "    total += number;\n  }\n  return total;\n}\n";
  const perplexities: number[] = [];
  for (const quantize of [undefined, ...formats]) {
    const model = await loadModel(JS_MODEL, { device: "wasm", threads: 2, ...(quantize ? { quantize } : {}) });
    perplexities.push((await model.score(text)).perplexity);
    await model.dispose();
  }
  const [stored, int8, int4] = perplexities as [number, number, number];
  expect(int8 / stored).toBeLessThan(1.01);
  expect(int4 / stored).toBeLessThan(1.06);
  expect(int8).not.toBe(stored);
});

// A head in the files of a model whose config.json ties it to the embedding: as transformers 5.23 has it, the head that is stored
// counts where it differs, and an embedding that is missing is the head.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { MODEL_TYPES, openFolder, openWeights } from "../../loaders/index.ts";
import { testDevice } from "../../tests/support/devices.ts";
import { folderOf, randomTensors, smallConfig } from "../../tests/support/random-model.ts";
import type { Device } from "../devices/device.ts";
import { estimate } from "./estimate.ts";
import { families } from "./families/index.ts";
import { loadModel, type ModelSource } from "./load-model.ts";
import { quantizeModel } from "./quantize-model.ts";

const TOKENS = [1, 5, 9, 2];
const NOTE = "says that the head is the embedding, but the files have another";

describe("a tied head", () => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice("wasm", { threads: 1, deterministic: true });
  });
  afterAll(() => device.dispose());

  async function load(source: ModelSource) {
    const model = await loadModel(source, { device });
    const { logits } = await model.forward(TOKENS);
    const { notes, config } = model;
    const bytes = model.memory().weights;
    await model.dispose();
    return { logits: logits!.data, notes: notes.join("; "), config, bytes };
  }

  it.each(MODEL_TYPES)("that is stored and differs is used: %s", async (modelType) => {
    const tensors = randomTensors(smallConfig(modelType, { tie_word_embeddings: false }));
    const untied = await load(folderOf(smallConfig(modelType, { tie_word_embeddings: false }), tensors));
    const tied = await load(folderOf(smallConfig(modelType, { tie_word_embeddings: true }), tensors));
    expect(tied.logits).toEqual(untied.logits);
    expect(tied.notes).toContain(NOTE);
    expect(untied.notes).not.toContain(NOTE);
    expect(tied.config.tiedEmbeddings).toBe(false);
    expect(tied.bytes).toBe(estimate(tied.config, "f32").weights);
  });

  it.each(MODEL_TYPES)("that is stored twice takes room once: %s", async (modelType) => {
    const json = smallConfig(modelType, { tie_word_embeddings: true });
    const tensors = randomTensors(json);
    const once = await load(folderOf(json, tensors));
    const { prefixes, embedding, head } = families[modelType];
    tensors.set(`${head}.weight`, tensors.get(`${prefixes[0]}${embedding}.weight`)!);
    const twice = await load(folderOf(json, tensors));
    expect(twice).toEqual(once);
    expect(twice.config.tiedEmbeddings).toBe(true);
  });

  it.each(MODEL_TYPES)("whose embedding is missing is both: %s", async (modelType) => {
    const json = smallConfig(modelType, { tie_word_embeddings: true });
    const tensors = randomTensors(json);
    const whole = await load(folderOf(json, tensors));
    const { prefixes, embedding, head } = families[modelType];
    const name = `${prefixes[0]}${embedding}.weight`;
    tensors.set(`${head}.weight`, tensors.get(name)!);
    tensors.delete(name);
    expect((await load(folderOf(json, tensors))).logits).toEqual(whole.logits);
  });

  test("that differs in its last number only, differs", async () => {
    const json = smallConfig("llama", { tie_word_embeddings: true, vocab_size: 40_000 });
    const tensors = randomTensors(json);
    const { shape, values } = tensors.get("model.embed_tokens.weight")!;
    const changed = values.slice();
    changed[changed.length - 1]! += 1;
    tensors.set("lm_head.weight", { shape, values: changed });
    expect((await load(folderOf(json, tensors))).config.tiedEmbeddings).toBe(false);
  });

  test.each(["int8", "int4"] as const)("that differs is kept by quantizing to %s", async (format) => {
    const json = smallConfig("gpt2", { tie_word_embeddings: true });
    const folder = folderOf(json, randomTensors(smallConfig("gpt2", { tie_word_embeddings: false })));
    const out = join(await mkdtemp(join(tmpdir(), "kedge-head-")), "out");
    await quantizeModel(folder, out, { format });
    const checkpoint = await openWeights(openFolder(out));
    expect(checkpoint.tensors.get("lm_head.weight")?.dtype).toBe("I8");
    await checkpoint.close();
    const quantized = await load(out);
    const model = await loadModel(folder, { device, quantize: format });
    expect(quantized.logits).toEqual((await model.forward(TOKENS)).logits!.data);
    expect(quantized.notes).toContain(NOTE);
    await model.dispose();
    await rm(out, { recursive: true });
  });
});

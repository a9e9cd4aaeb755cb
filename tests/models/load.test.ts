// Loading a model: progress, an abort on the way, what is wrong with files, and memory as it was estimated.

import { countParameters, estimate, loadModel, type Device, type LoadProgress } from "kedge";
import { blobSource, filesFolder, openSafetensors, writeSafetensors } from "kedge/loaders";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testDevice } from "../support/devices.ts";
import { TINY, tinyFiles, tinyFolder } from "../support/tiny-model.ts";

/** The tiny model's files with some of its tensors changed. */
async function changed(edit: (names: string[]) => { drop?: string; add?: [string, number[]] }) {
  const files = tinyFiles();
  const file = await openSafetensors(blobSource(files.get("model.safetensors")!, "model.safetensors"));
  const { drop, add } = edit([...file.tensors.keys()]);
  const tensors = [];
  for (const { name, dtype, shape } of file.tensors.values()) {
    if (name === drop) continue;
    tensors.push({ name, dtype, shape, values: (await file.readTensor(name)).values });
  }
  if (add) {
    const [name, shape] = add;
    const length = shape.reduce((product, size) => product * size, 1);
    tensors.push({ name, dtype: "F32" as const, shape, values: new Float32Array(length) });
  }
  files.set("model.safetensors", new Blob([writeSafetensors(tensors) as Uint8Array<ArrayBuffer>]));
  return filesFolder(files, "tiny");
}

describe("loading", () => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice("wasm");
  });
  afterAll(() => device.dispose());

  test("reports files, weights and kernels, each to its end", async () => {
    const seen: LoadProgress[] = [];
    const model = await loadModel(tinyFolder(), { device, onProgress: (progress) => void seen.push(progress) });
    const phases = [...new Set(seen.map(({ phase }) => phase))];
    expect(phases).toEqual(["files", "weights", "kernels"]);
    const weights = seen.filter(({ phase }) => phase === "weights");
    for (const [i, { done, of }] of weights.entries()) {
      expect(done).toBeLessThanOrEqual(of);
      expect(done).toBeGreaterThan(weights[i - 1]?.done ?? 0);
    }
    expect(weights.at(-1)!.done).toBe(weights.at(-1)!.of);
    await model.dispose();
    expect(device.memory()).toEqual({ weights: 0, cache: 0, activations: 0 });
  });

  test("an abort on the way ends it, and leaves nothing on the caller's device", async () => {
    const abort = new AbortController();
    const onProgress = ({ phase, done, of }: LoadProgress) => {
      if (phase === "weights" && done > of / 2) abort.abort(new Error("enough"));
    };
    await expect(loadModel(tinyFolder(), { device, signal: abort.signal, onProgress })).rejects.toThrow("enough");
    expect(device.memory().weights).toBe(0);
  });

  test("two models share a device", async () => {
    const [one, two] = [await loadModel(tinyFolder(), { device }), await loadModel(tinyFolder(), { device })];
    const [a, b] = await Promise.all([one.forward([1, 2, 3]), two.forward([1, 2, 3])]);
    expect(a.logits!.data).toEqual(b.logits!.data);
    await one.dispose();
    expect((await two.forward([1, 2, 3])).logits!.data).toEqual(b.logits!.data);
    await two.dispose();
  });

  test("takes the bytes that were estimated, to the padding of panels", async () => {
    for (const source of [tinyFolder(), "models/kedge-js-5m", "models/kedge-js-5m-anchor"]) {
      const model = await loadModel(source, { device });
      const { weights, parameters } = estimate(model.config, typeof source === "string" ? "f16" : "f32");
      expect(parameters).toEqual(countParameters(model.config));
      const measured = model.memory().weights;
      expect(measured).toBeGreaterThanOrEqual(weights);
      expect(measured).toBeLessThan(weights * 1.02 + 4096);
      await model.dispose();
    }
  });

  test("a tensor that is missing, or of another shape, is named with both shapes", async () => {
    const name = "model.layers.1.self_attn.k_proj.weight";
    await expect(loadModel(await changed(() => ({ drop: name })), { device })).rejects.toThrow(
      `has no tensor "${name}" [40,48], which config.json calls for`,
    );
    const wrong = changed(() => ({ drop: name, add: [name, [48, 40]] }));
    await expect(loadModel(await wrong, { device })).rejects.toThrow(
      `tensor "${name}" has shape [48,40], but config.json calls for [40,48]`,
    );
    expect(device.memory().weights).toBe(0);
  });

  test("tensors that the family does not have are left out, and said", async () => {
    const model = await loadModel(await changed(() => ({ add: ["adapter.weight", [2, 2]] })), { device });
    expect(model.notes.join()).toContain("1 tensors of the checkpoint are not part of this family");
    expect(model.notes.join()).toContain("adapter.weight");
    await model.dispose();
  });

  test("without a tokenizer prompts are tokens", async () => {
    const model = await loadModel(tinyFolder(), { device });
    expect(() => model.tokenize("text")).toThrow("has no tokenizer: give the prompt as tokens");
    expect(model.tokenize([1, 2])).toEqual([1, 2]);
    expect(model.contextLength).toBe(TINY.max_position_embeddings);
    await model.dispose();
  });
});

// GPT-2's attention scale by layer, against the same model whose queries are divided instead.

import { expect, test } from "vitest";
import { testDevice } from "../../tests/support/devices.ts";
import { folderOf, randomTensors, smallConfig } from "../../tests/support/random-model.ts";
import { loadModel } from "./load-model.ts";

const LAYERS = 4;

test.each(["reference", "wasm"] as const)("the scale of layer i is divided by i + 1 on %s", async (name) => {
  const device = await testDevice(name, { threads: 1, deterministic: true });
  const json = smallConfig("gpt2", { n_layer: LAYERS });
  const tensors = randomTensors(json);
  const logitsOf = async (config: typeof json) => {
    const model = await loadModel(folderOf(config, tensors), { device });
    const { logits } = await model.forward([1, 5, 9, 2, 7]);
    await model.dispose();
    return logits!.data;
  };
  const plain = await logitsOf(json);
  const scaled = await logitsOf({ ...json, scale_attn_by_inverse_layer_idx: true, reorder_and_upcast_attn: true });
  for (let i = 0; i < LAYERS; i++) {
    for (const part of ["weight", "bias"]) {
      const { shape, values } = tensors.get(`transformer.h.${i}.attn.c_attn.${part}`)!;
      const width = shape.at(-1)!;
      for (const [at, value] of values.entries()) if (at % width < width / 3) values[at] = value / (i + 1);
    }
  }
  const wanted = await logitsOf(json);
  const largest = Math.max(...wanted.map(Math.abs));
  const distance = (to: ArrayLike<number>) => Math.max(...wanted.map((value, at) => Math.abs(value - to[at]!)));
  expect(distance(scaled)).toBeLessThan(1e-5 * largest);
  expect(distance(plain)).toBeGreaterThan(1e-3 * largest);
  await device.dispose();
});

// The estimate against what a device says it holds, for every family.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig, MODEL_TYPES, openWeights } from "../../loaders/index.ts";
import { testDevice } from "../../tests/support/devices.ts";
import { folderOf, randomTensors, smallConfig } from "../../tests/support/random-model.ts";
import type { Device } from "../devices/device.ts";
import { estimate } from "./estimate.ts";
import { loadWeights } from "./weights.ts";

const anchored = { anchor_attention: { anchor_token_ids: [3], layer_map: { 1: 0 } } };
const cases = MODEL_TYPES.flatMap((modelType) => [
  [modelType, false, {}] as const,
  [modelType, true, {}] as const,
  ...(modelType === "llama" ? [[modelType, false, anchored] as const] : []),
]);

// not on `reference`, which keeps f64 and does not keep quantized matrices
describe("what was estimated is taken on wasm", () => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice("wasm", { threads: 1 });
  });
  afterAll(() => device.dispose());

  it.each(cases)("%s, tied: %s, %j", async (modelType, isTied, changes) => {
    const json = smallConfig(modelType, { tie_word_embeddings: isTied, ...changes });
    const folder = folderOf(json, randomTensors(json));
    const config = await loadConfig(folder);
    const checkpoint = await openWeights(folder);
    for (const quantize of [undefined, "int8", "int4"] as const) {
      const { weights } = await loadWeights(device, checkpoint, config, { file: folder.name, quantize });
      expect(device.memory().weights).toBe(estimate(config, quantize ?? "f32").weights);
      for (const weight of weights.all) device.destroy(weight);
      expect(device.memory().weights).toBe(0);
    }
    await checkpoint.close();
  });
});

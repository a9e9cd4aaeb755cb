// Every family against transformers: logits, every hidden state, every attention pattern, and the greedy continuation.

import { readdirSync } from "node:fs";
import { loadModel, type Device, type Model } from "kedge";
import { loadConfig, MODEL_TYPES, openFolder, type SafetensorsFile } from "kedge/loaders";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEVICES, testDevice } from "../support/devices.ts";
import { isFullExtent } from "../support/extent.ts";
import { distance, golden, goldenPath, greedyTokens, openGoldens, rowOf, TINY_MODELS } from "../support/goldens.ts";
import { hasShared, shared } from "../support/shared.ts";

/** More models of the same kind, with weights in float32, where ../shared has them. */
const further =
  isFullExtent && hasShared("fixtures")
    ? readdirSync(shared("fixtures")).filter(
        (name) =>
          name !== "anchors" && hasShared(`fixtures/${name}/config.json`, `fixtures/${name}/golden.safetensors`),
      )
    : [];
const folders = [
  ...TINY_MODELS.map((name) => [name, goldenPath(name)] as const),
  ...further.map((name) => [`${name} of ../shared`, shared(`fixtures/${name}`)] as const),
  ["kedge-js-5m", "models/kedge-js-5m"] as const,
  ["kedge-js-5m-anchor", "models/kedge-js-5m-anchor"] as const,
];

test("there is a tiny model of every family", async () => {
  const configs = await Promise.all(TINY_MODELS.map((name) => loadConfig(openFolder(goldenPath(name)))));
  expect(new Set(configs.map(({ modelType }) => modelType))).toEqual(new Set(MODEL_TYPES));
});

describe.each(DEVICES)("on %s", (name) => {
  // Of the largest magnitude of the tensor; attention is absolute, its largest is 1.
  const bound = name === "reference" ? 2e-5 : 1e-4;
  let device: Device;
  beforeAll(async () => {
    device = await testDevice(name);
  });
  afterAll(() => device.dispose());

  describe.each(folders)("%s", (_, folder) => {
    let model: Model;
    let file: SafetensorsFile;
    let inputs: number[][];
    beforeAll(async () => {
      model = await loadModel(folder, { device });
      file = await openGoldens(`${folder}/golden.safetensors`);
      const ids = await golden(file, "input_ids");
      inputs = Array.from({ length: ids.shape[0]! }, (_row, row) => [...rowOf(ids, row)]);
    });
    afterAll(() => model.dispose());

    test("meets every tensor, in the order of the forward pass", async () => {
      const { layers } = model.config;
      const taps = new Map<string, string>();
      for (let i = 0; i < layers; i++) {
        taps.set(`hidden.${i}`, `blocks.${i}.hook_resid_pre`);
        taps.set(`attention.${i}`, `blocks.${i}.attn.hook_pattern`);
      }
      taps.set(`hidden.${layers}`, "ln_final.hook_out");
      const held = [...taps].filter(([tensor]) => file.tensors.has(tensor));
      for (const [row, tokens] of inputs.entries()) {
        const { captured, logits } = await model.forward(tokens, { capture: held.map(([, tap]) => tap) });
        for (const [tensor, tap] of held) {
          const { largest, scale } = distance(captured[tap]!.data, rowOf(await golden(file, tensor), row));
          const allowed = tensor.startsWith("attention") ? bound : bound * scale;
          expect(largest, `${tensor} of row ${row}`).toBeLessThanOrEqual(allowed);
        }
        const { largest, scale } = distance(logits!.data, rowOf(await golden(file, "logits"), row));
        expect(largest, `logits of row ${row}`).toBeLessThanOrEqual(bound * scale);
        // The fused pass, too.
        const fused = await model.forward(tokens);
        const again = distance(fused.logits!.data, rowOf(await golden(file, "logits"), row));
        expect(again.largest, `fused logits of row ${row}`).toBeLessThanOrEqual(bound * scale);
      }
    });

    test("continues greedily with the same tokens", async () => {
      const greedy = await golden(file, "greedy");
      for (const [row, tokens] of inputs.entries()) {
        const want = rowOf(greedy, row).subarray(tokens.length);
        expect(await greedyTokens(model, tokens, want.length)).toEqual([...want]);
      }
    });
  });
});

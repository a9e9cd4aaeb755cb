// Anchor attention and windows against goldens: as one masked prefill, in chunks of any size, and token by token with eviction.

import { loadModel, policies, type CachePolicy, type Device, type Model } from "kedge";
import { bufferSource, filesFolder, openSafetensors } from "kedge/loaders";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAST_DEVICES, testDevice } from "../support/devices.ts";
import { openSteps, type OpenedSteps } from "../support/steps.ts";
import { goldenPath } from "../support/goldens.ts";

const FOLDER = goldenPath("anchors");

/** The masks of the goldens, each by the policy that makes it. */
const MASKS: readonly (readonly [string, CachePolicy])[] = [
  ["dense", policies.full()],
  ["taa", policies.anchors()],
  ["taa-sinks0", policies.anchors({ sinks: 0 })],
  ["taa-anllm", policies.anchors({ anchorSeesAnchors: false })],
  ["taa-recent2", policies.anchors({ keepRecent: 2 })],
  ["taa-sinks4-recent1", policies.anchors({ sinks: 4, keepRecent: 1 })],
  ["window8", policies.window({ budget: 8 })],
  ["sinks2-window6", policies.sinks({ budget: 8, first: 2 })],
];

interface Goldens {
  /** [B, T] */
  readonly inputs: number[][];
  tensor(name: string, row: number): Promise<Float32Array>;
}

async function readGoldens(): Promise<Goldens> {
  const file = await openSafetensors(
    bufferSource(await readFile(`${FOLDER}/golden.safetensors`), "golden.safetensors"),
  );
  const tensor = async (name: string, row: number) => {
    const { shape, values } = await file.readTensor(name);
    const numbers = Float32Array.from(values as ArrayLike<number | bigint>, Number);
    const size = numbers.length / shape[0]!;
    return numbers.subarray(row * size, (row + 1) * size);
  };
  const inputs = [[...(await tensor("input_ids", 0))], [...(await tensor("input_ids", 1))]];
  return { inputs, tensor };
}

/** The fixture's files, its configuration changed; without a layer map, anchors are token-wise alone. */
async function fixture(isLayerWise: boolean): Promise<Map<string, Uint8Array>> {
  const config = JSON.parse(await readFile(`${FOLDER}/config.json`, "utf8")) as {
    anchor_attention: Record<string, unknown>;
  };
  if (!isLayerWise) delete config.anchor_attention["layer_map"];
  return new Map<string, Uint8Array>([
    ["config.json", Buffer.from(JSON.stringify(config))],
    ["model.safetensors", await readFile(`${FOLDER}/model.safetensors`)],
  ]);
}

async function openFixture(device: Device, isLayerWise: boolean, chunkRows: number): Promise<OpenedSteps> {
  return openSteps(device, { folder: filesFolder(await fixture(isLayerWise)), chunkRows });
}

/** Largest difference as a share of the largest number wanted. */
function relativeDifference(got: Float32Array, want: Float32Array): number {
  expect(got.length).toBe(want.length);
  const largest = want.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return got.reduce((most, value, i) => Math.max(most, Math.abs(value - want[i]!)), 0) / largest;
}

describe("anchor attention", () => {
  describe.each(FAST_DEVICES)("on %s", (name) => {
    const bound = name === "reference" ? 2e-5 : 1e-4;
    let device: Device;
    let model: Model;
    let layerWise: Model;
    let goldens: Goldens;
    const opened = new Map<number, OpenedSteps>();
    beforeAll(async () => {
      device = await testDevice(name);
      goldens = await readGoldens();
      model = await loadModel(filesFolder(await fixture(false)), { device });
      layerWise = await loadModel(filesFolder(await fixture(true)), { device });
      for (const chunkRows of [7, 48]) opened.set(chunkRows, await openFixture(device, false, chunkRows));
    });
    afterAll(async () => {
      for (const { steps } of opened.values()) steps.dispose();
      await model.dispose();
      await layerWise.dispose();
      await device.dispose();
    });

    test.each(MASKS)("%s: a masked prefill gives the logits and the last layer's attention", async (mask, cache) => {
      for (const [row, tokens] of goldens.inputs.entries()) {
        const tap = "blocks.5.attn.hook_pattern";
        const { logits, captured } = await model.forward(tokens, { cache, capture: [tap] });
        expect(relativeDifference(logits!.data, await goldens.tensor(`${mask}.logits`, row))).toBeLessThan(bound);
        const attention = await goldens.tensor(`${mask}.attention.last`, row);
        expect(relativeDifference(captured[tap]!.data, attention)).toBeLessThan(bound);
      }
    });

    test.each(MASKS)("%s: with eviction, in chunks and token by token, the same", async (mask, policy) => {
      for (const [row, tokens] of goldens.inputs.entries()) {
        const want = await goldens.tensor(`${mask}.logits`, row);
        const visible = await goldens.tensor(`${mask}.visible`, row);
        for (const [chunkRows, step] of [
          [48, 1],
          [7, 20],
          [48, 48],
        ] as const) {
          const { steps, decoder } = opened.get(chunkRows)!;
          const sequence = steps.open({ policy });
          for (let begin = 0; begin < tokens.length; begin += step) {
            const end = Math.min(tokens.length, begin + step);
            const [logits] = await decoder.logits([{ sequence, tokens: tokens.slice(begin, end) }]);
            const wanted = want.subarray((end - 1) * 128, end * 128);
            expect(relativeDifference(logits!, wanted), `${mask}, ${end} tokens`).toBeLessThan(bound);
            const next = visible.subarray(end * tokens.length, (end + 1) * tokens.length);
            const kept = new Set(sequence.stored.lists[0]!.positions());
            for (let key = 0; key < end && end < tokens.length; key++) {
              if (next[key] === 1) expect(kept.has(key), `${mask}: key ${key} is seen by ${end}`).toBe(true);
            }
          }
          // Keys that the last query saw, and no others, were alive for it.
          const [atEnd] = await goldens.tensor(`${mask}.keys_at_end`, row);
          if (step === 1) {
            const before = steps.open({ policy });
            await decoder.greedy([{ sequence: before, tokens: tokens.slice(0, -1) }]);
            const alive = before.stored.lists[0]!.length + 1;
            if (mask === "taa-anllm") expect(alive).toBeGreaterThanOrEqual(atEnd!);
            else expect(alive).toBe(atEnd);
            decoder.close(before);
          }
          decoder.close(sequence);
          expect(steps.cacheBytes().live).toBe(0);
        }
      }
    });

    test("layer-wise anchors give their logits, whole and token by token, and take no bytes", async () => {
      const { steps, decoder } = await openFixture(device, true, 48);
      const tokenWise = opened.get(48)!;
      for (const [row, tokens] of goldens.inputs.entries()) {
        const want = await goldens.tensor("laa.logits", row);
        const { logits } = await layerWise.forward(tokens);
        expect(relativeDifference(logits!.data, want)).toBeLessThan(bound);
        const [sequence, plain] = [decoder.open(), tokenWise.steps.open({ policy: policies.anchors() })];
        for (const [i, token] of tokens.entries()) {
          const [step] = await decoder.logits([{ sequence, tokens: [token] }]);
          expect(relativeDifference(step!, want.subarray(i * 128, (i + 1) * 128))).toBeLessThan(bound);
          await tokenWise.decoder.greedy([{ sequence: plain, tokens: [token] }]);
          expect(steps.cacheBytes().live).toBe(tokenWise.steps.cacheBytes().live);
        }
        decoder.close(sequence);
        tokenWise.decoder.close(plain);
      }
      steps.dispose();
    });
  });
});

// Real models: stories260K's greedy text, and SmolLM2-135M-Instruct as one file and in shards, against transformers. Short of the
// full extent the software GPU tells a short story, and leaves SmolLM2 to wasm.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadModel, type Device, type Model } from "kedge";
import type { SafetensorsFile } from "kedge/loaders";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEVICES, testDevice } from "../support/devices.ts";
import { isFullExtent } from "../support/extent.ts";
import { distance, golden, greedyTokens, openGoldens } from "../support/goldens.ts";
import { hasShared, shared, WITHOUT_SHARED } from "../support/shared.ts";

const STORIES = "models/stories260K";

describe.skipIf(!hasShared(STORIES))(`stories260K (${WITHOUT_SHARED})`, () => {
  test.each(DEVICES)("tells its story on %s", async (name) => {
    const device = await testDevice(name);
    const model = await loadModel(shared(STORIES), { device });
    const { prompt_ids, ids } = JSON.parse(await readFile(shared(`${STORIES}/greedy.json`), "utf8")) as {
      prompt_ids: number[];
      ids: number[];
    };
    const count = name === "webgpu" && !isFullExtent ? 40 : ids.length - prompt_ids.length;
    const want = ids.slice(prompt_ids.length, prompt_ids.length + count);
    expect(await greedyTokens(model, prompt_ids, want.length)).toEqual(want);
    await model.dispose();
    await device.dispose();
  });
});

const SMOLLM2 = "models/smollm2-135m-instruct";
const FIXTURE = "fixtures/smollm2-135m";
const CONVERTER = "tools/gguf-to-safetensors.mjs";

interface StoredPrompt {
  readonly text: string;
  readonly ids: number[];
  readonly greedy_text: string;
}

/** A Hugging Face folder of SmolLM2 in bf16, made by the converter; `shardMegabytes` splits it. */
function convert(folder: string, shardMegabytes?: number): string {
  const shards = shardMegabytes === undefined ? [] : ["--shard-mb", String(shardMegabytes)];
  execFileSync(process.execPath, [shared(CONVERTER), shared(`${SMOLLM2}/model-q4_1.gguf`), folder, ...shards]);
  copyFileSync(shared(`${SMOLLM2}/tokenizer.json`), join(folder, "tokenizer.json"));
  return folder;
}

describe.skipIf(!hasShared(SMOLLM2, FIXTURE, CONVERTER))(`SmolLM2-135M-Instruct (${WITHOUT_SHARED})`, () => {
  const folder = mkdtempSync(join(tmpdir(), "kedge-smollm2-"));
  let file: SafetensorsFile;
  let prompts: StoredPrompt[];
  beforeAll(async () => {
    file = await openGoldens(shared(`${FIXTURE}/golden.safetensors`));
    prompts = JSON.parse(await readFile(shared(`${FIXTURE}/prompts.json`), "utf8")) as StoredPrompt[];
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  // The bf16 weights as one file for one device, in shards for the other.
  const places = [
    { name: "wasm", shardMegabytes: undefined },
    { name: "webgpu", shardMegabytes: 60 },
  ] as const;
  describe.each(isFullExtent ? places : places.slice(0, 1))("on $name", ({ name, shardMegabytes }) => {
    const bound = 1e-4;
    let device: Device;
    let model: Model;
    beforeAll(async () => {
      device = await testDevice(name);
      model = await loadModel(convert(join(folder, name), shardMegabytes), { device });
    });
    afterAll(async () => {
      await model.dispose();
      await device.dispose();
    });

    test("cuts text into the same tokens; its chat template gives the first prompt", () => {
      for (const { text, ids } of prompts) expect(model.tokenize(text)).toEqual(ids);
      const messages = [
        { role: "system", content: "You are a helpful AI assistant named SmolLM, trained by Hugging Face" },
        {
          role: "user",
          content: "Write a JavaScript function that returns the sum of an array of numbers.",
        },
      ];
      expect(model.tokenize(messages)).toEqual(prompts[0]!.ids);
    });

    test.each([0, 1, 2])(
      "meets the tensors of prompt %i, in the order of the forward pass",
      async (n) => {
        const { ids } = prompts[n]!;
        const { layers, heads, dim } = model.config;
        const { captured, logits } = await model.forward(ids, {
          logits: "last",
          capture: ["blocks.*.hook_resid_pre", "blocks.*.attn.hook_pattern", "ln_final.hook_out"],
        });
        const hidden = (await golden(file, `${n}.hidden.last`)).values;
        const attention = (await golden(file, `${n}.attention.last`)).values;
        const length = ids.length;
        for (let i = 0; i <= layers; i++) {
          const tap = i < layers ? `blocks.${i}.hook_resid_pre` : "ln_final.hook_out";
          const got = captured[tap]!.data.slice(-dim);
          const { largest, scale } = distance(got, hidden.subarray(i * dim, (i + 1) * dim));
          expect(largest, `hidden.${i}`).toBeLessThanOrEqual(bound * scale);
          if (i === layers) continue;
          const pattern = captured[`blocks.${i}.attn.hook_pattern`]!.data;
          for (let head = 0; head < heads; head++) {
            const row = pattern.subarray((head * length + length - 1) * length, (head * length + length) * length);
            const begin = (i * heads + head) * length;
            const far = distance(row, attention.subarray(begin, begin + length)).largest;
            expect(far, `attention.${i}, head ${head}`).toBeLessThanOrEqual(bound);
          }
        }
        const { largest, scale } = distance(logits!.data, (await golden(file, `${n}.logits.last`)).values);
        expect(largest, "logits").toBeLessThanOrEqual(bound * scale);
        const wanted = (await golden(file, `${n}.token_logprobs`)).values;
        const scored = await model.score(ids);
        const far = distance(scored.logProbs, wanted);
        expect(far.largest, "log-probabilities").toBeLessThanOrEqual(bound * far.scale);
      },
      240_000,
    );

    const count = 64;
    test(`continues each prompt greedily with the same ${count} tokens, all as one batch`, async () => {
      const tokens = prompts.map(() => [] as number[]);
      const pieces = model.generateBatch(
        prompts.map(({ ids }) => ids),
        { maxTokens: count, ignoreEndTokens: true },
      );
      for await (const piece of pieces) tokens[piece.promptIndex]!.push(...piece.tokens);
      for (const [n, { ids }] of prompts.entries()) {
        const want = (await golden(file, `${n}.greedy`)).values.subarray(ids.length, ids.length + count);
        expect(tokens[n]).toEqual([...want]);
      }
    }, 240_000);
  });
});

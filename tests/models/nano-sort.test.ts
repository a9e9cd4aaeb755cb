// A GPT that sorts, with every inner activation of its layers stored: the first kernel that is wrong is named here.

import { readFileSync } from "node:fs";
import { loadModel, type CapturedTensor, type Device, type Model } from "kedge";
import { filesFolder, writeSafetensors, type TensorToWrite } from "kedge/loaders";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEVICES, testDevice } from "../support/devices.ts";
import { hasShared, shared, WITHOUT_SHARED } from "../support/shared.ts";

interface StoredTensor {
  readonly shape: readonly number[];
  readonly data: string;
}
const MODEL = "models/nano-sort/gpt-nano-sort-model.json";
const PARTIALS = "models/nano-sort/gpt-nano-sort-t0-partials.json";

function readStored(path: string): Record<string, StoredTensor> {
  return JSON.parse(readFileSync(shared(path), "utf8")) as Record<string, StoredTensor>;
}

function values({ data }: StoredTensor): Float32Array {
  const bytes = Buffer.from(data, "base64");
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** minGPT's tensors under GPT-2's names; its matrices are [outputs, inputs] and GPT-2's the other way round. */
function gpt2Tensors(stored: Record<string, StoredTensor>): TensorToWrite[] {
  const tensors: TensorToWrite[] = [];
  for (const [name, tensor] of Object.entries(stored)) {
    if (name === "config" || name.endsWith(".attn.bias")) continue;
    const data = values(tensor);
    const isTurned = /\.(c_attn|c_proj|c_fc)\.weight$/.test(name);
    const [rows, columns] = tensor.shape as [number, number];
    const turned = isTurned
      ? Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!)
      : data;
    tensors.push({ name, dtype: "F32", shape: isTurned ? [columns, rows] : tensor.shape, values: turned });
  }
  return tensors;
}

async function loadNanoSort(device: Device): Promise<Model> {
  const stored = readStored(MODEL);
  const { n_layer, n_head, n_embd, vocab_size, block_size } = stored["config"] as unknown as Record<string, number>;
  const config = {
    model_type: "gpt2",
    n_layer,
    n_head,
    n_embd,
    vocab_size,
    n_positions: block_size,
    activation_function: "gelu_new",
    tie_word_embeddings: false,
  };
  const files = new Map([
    ["config.json", new Blob([JSON.stringify(config)])],
    ["model.safetensors", new Blob([writeSafetensors(gpt2Tensors(stored))])],
  ]);
  return loadModel(filesFolder(files), { device });
}

/** Stored activation -> tap, in the order of the forward pass; [heads, T, headDim] where the tap has [T, heads, headDim]. */
const BLOCK = [
  ["tok_emb", "hook_embed"],
  ["pos_emb", "hook_pos_embed"],
  ["x", "blocks.0.hook_resid_pre"],
  ["ln1", "blocks.0.ln1.hook_out"],
  ["q", "blocks.0.attn.hook_q"],
  ["k", "blocks.0.attn.hook_k"],
  ["v", "blocks.0.attn.hook_v"],
  ["att", "blocks.0.attn.hook_attn_scores"],
  ["attSm", "blocks.0.attn.hook_pattern"],
  ["y", "blocks.0.attn.hook_z"],
  ["yProj", "blocks.0.hook_attn_out"],
  ["attnResid", "blocks.0.hook_resid_mid"],
  ["ln2", "blocks.0.ln2.hook_out"],
  ["fc", "blocks.0.mlp.hook_pre"],
  ["gelu", "blocks.0.mlp.hook_post"],
  ["mlp", "blocks.0.hook_mlp_out"],
  ["mlpResid", "blocks.0.hook_resid_post"],
  ["block1", "blocks.1.hook_resid_post"],
  ["block2", "blocks.2.hook_resid_post"],
  ["ln_f", "ln_final.hook_out"],
] as const;

/** One batch row of a stored activation in the tap's order. */
function storedRow(tensor: StoredTensor, row: number, isPerHead: boolean): Float32Array {
  const all = values(tensor);
  const size = all.length / tensor.shape[0]!;
  const begin = tensor.shape[0] === 1 ? 0 : row * size;
  const data = all.slice(begin, begin + size);
  if (!isPerHead) return data;
  const [, heads, tokens, headDim] = tensor.shape as [number, number, number, number];
  return Float32Array.from(data, (_, i) => {
    const token = Math.floor(i / (heads * headDim));
    const head = Math.floor(i / headDim) % heads;
    return data[(head * tokens + token) * headDim + (i % headDim)]!;
  });
}

/** Largest difference over numbers that are wanted; a masked score may be any large negative number. */
function largestDifference(got: CapturedTensor, want: Float32Array): number {
  expect(got.data.length).toBe(want.length);
  return want.reduce((largest, value, i) => {
    if (value === Number.NEGATIVE_INFINITY) return Object.is(got.data[i], value) ? largest : Number.POSITIVE_INFINITY;
    return Math.max(largest, Math.abs(value - got.data[i]!));
  }, 0);
}

describe.skipIf(!hasShared(MODEL, PARTIALS))(`nano-sort (${WITHOUT_SHARED})`, () => {
  describe.each(DEVICES)("on %s", (name) => {
    let device: Device;
    let model: Model;
    beforeAll(async () => {
      device = await testDevice(name);
      model = await loadNanoSort(device);
    });
    afterAll(async () => {
      await model.dispose();
      await device.dispose();
    });

    test("meets each stored activation, in the order of the forward pass", async () => {
      const partials = readStored(PARTIALS);
      const idx = values(partials["idx"]!);
      for (let row = 0; row < 3; row++) {
        const tokens = [...idx.subarray(row * 11, (row + 1) * 11)];
        const { captured, logits } = await model.forward(tokens, { capture: BLOCK.map(([, tap]) => tap) });
        for (const [stored, tap] of BLOCK) {
          const want = storedRow(partials[stored]!, row, ["q", "k", "v"].includes(stored));
          expect(largestDifference(captured[tap]!, want), `${stored} = ${tap}`).toBeLessThan(2e-5);
        }
        const want = storedRow(partials["lm_head"]!, row, false);
        expect(largestDifference(logits!, want), "lm_head").toBeLessThan(1e-4);
      }
    });
  });
});

// NaN and infinity in a model's weights, on every device and on every way to its logits: one sentence, and never a text.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  collect,
  loadModel,
  policies,
  type Device,
  type LoadOptions,
  type Model,
  type ModelGenerateOptions,
} from "kedge";
import { kedge } from "../support/command.ts";
import { DEVICES, testDevice } from "../support/devices.ts";
import { isFullExtent } from "../support/extent.ts";
import { TINY, tinyFolder, type EditTensor } from "../support/tiny-model.ts";

const SENTENCE =
  /^(the \w+ row[^:]*: )?no token has a probability\b.*: of (67|the) logits (that of token|one is NaN|all are)/;
const PROMPT = [5, 6, 7, 8];

/** Puts a number into a tensor at a place, and keeps the tensor as a type. */
const plant =
  (name: string, value: number, at = 0, dtype: "F32" | "F16" | "BF16" = "F32"): EditTensor =>
  (tensor) => {
    if (tensor.name !== name) return tensor.shape.length > 1 ? { ...tensor, dtype } : tensor;
    tensor.values[at] = value;
    return { ...tensor, dtype };
  };

/** The message of what a promise rejects with; what it resolves with, where it does. */
async function messageOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    (value) => `gave ${JSON.stringify(value)}`,
    (error: unknown) => (error instanceof RangeError ? error.message : `threw ${String(error)}`),
  );
}

const generate = (options: ModelGenerateOptions) => (model: Model) =>
  collect(model.generate(PROMPT, { maxTokens: 4, ...options }));

/** Every way to a token or its probability. */
const WAYS: Readonly<Record<string, (model: Model) => Promise<unknown>>> = {
  greedy: generate({}),
  sampled: generate({ temperature: 1, seed: 1 }),
  "sampled from the top-K": generate({ temperature: 1, topK: 5, seed: 1 }),
  "with log-probabilities": generate({ logProbs: 1 }),
  "with a hook": generate({ logitsHook: () => undefined }),
  "with a policy that ranks": generate({ cache: policies.heavyHitters({ budget: 8 }) }),
  "a batch": (model) => collect(model.generateBatch([PROMPT, [9, 10]], { maxTokens: 4 })),
  complete: (model) => model.complete(PROMPT, { maxTokens: 4 }),
  score: (model) => model.score(PROMPT),
  "greedy, in the steps of a run that samples from the top-K": async (model) => {
    const sampled = messageOf(WAYS["sampled from the top-K"]!(model));
    const greedy = await model.complete(PROMPT, { maxTokens: 4 });
    return [greedy, await sampled];
  },
  contrast: generate({ contrast: { method: "negative-prompt", scale: 2, prompt: [3, 4] } }),
};

/** Where a number that is none must be seen in the logits, whatever the layers between make of it. */
const PLACES: readonly { readonly name: string; readonly value: number; readonly options?: LoadOptions }[] = [
  { name: "model.embed_tokens.weight", value: NaN }, // of the prompt's first token: only its key and value bring it to the last row
  { name: "model.layers.0.self_attn.q_proj.weight", value: NaN },
  { name: "model.layers.1.self_attn.k_proj.weight", value: NaN },
  { name: "model.layers.1.self_attn.k_proj.weight", value: Infinity },
  { name: "model.layers.1.self_attn.k_proj.weight", value: NaN, options: { cacheType: "f16" } },
  { name: "model.layers.1.self_attn.v_proj.weight", value: Infinity, options: { cacheType: "f16" } },
  { name: "model.layers.1.self_attn.k_proj.weight", value: NaN, options: { cacheType: "int8" } },
  { name: "model.layers.1.self_attn.v_proj.weight", value: Infinity, options: { cacheType: "int8" } },
  { name: "model.layers.1.mlp.gate_proj.weight", value: NaN },
  { name: "model.layers.1.mlp.down_proj.weight", value: Infinity },
  { name: "model.layers.2.input_layernorm.weight", value: NaN, options: { quantize: "int8" } },
  { name: "model.layers.2.post_attention_layernorm.weight", value: NaN, options: { quantize: "int4" } },
  { name: "lm_head.weight", value: NaN },
];

/** Stored as halves, which devices unpack themselves. */
const HALVES = (["F16", "BF16"] as const).flatMap((dtype) =>
  [NaN, Infinity, -Infinity].map((value) => [dtype, value] as const),
);

describe.each(DEVICES)("on %s", (name) => {
  // a software GPU takes seconds to compile the shaders of a format
  const isShort = name === "webgpu" && !isFullExtent;
  const isQuick = ({ options }: { readonly options?: LoadOptions }) => !isShort || options === undefined;
  let device: Device;
  let broken: Model;
  const load = (edit: EditTensor, options: LoadOptions = {}) => loadModel(tinyFolder({}, edit), { device, ...options });
  beforeAll(async () => {
    device = await testDevice(name);
    broken = await load(plant("model.norm.weight", NaN));
  });
  afterAll(async () => {
    await broken?.dispose();
    await device?.dispose();
  });

  test.each(Object.keys(WAYS))("%s refuses NaN in one sentence", async (way) => {
    expect(await messageOf(WAYS[way]!(broken))).toMatch(SENTENCE);
  });

  test.each(PLACES.filter(isQuick))(
    "$name with $value comes out, $options",
    async ({ name: tensor, value, options }) => {
      const at = tensor.includes("embed") ? PROMPT[0]! * TINY.hidden_size : 0;
      await using model = await load(plant(tensor, value, at), options);
      expect(await messageOf(model.complete(PROMPT, { maxTokens: 2 }))).toMatch(SENTENCE);
    },
  );

  test.each(HALVES.filter(() => !isShort))("weights of %s with %s are read as they are", async (dtype, value) => {
    await using head = await load(plant("lm_head.weight", value, 3 * TINY.hidden_size, dtype));
    const { logits } = await head.forward(PROMPT, { logits: "last" });
    expect(Number.isFinite(logits!.data[3])).toBe(false);
    expect(logits!.data.filter((logit) => !Number.isFinite(logit))).toHaveLength(1);
    await using model = await load(plant("model.embed_tokens.weight", value, PROMPT[0]! * TINY.hidden_size, dtype));
    const { captured } = await model.forward(PROMPT, { capture: ["hook_embed"], logits: "none" });
    expect(captured["hook_embed"]!.data[0]).toBe(value);
    expect(captured["hook_embed"]!.data.slice(1).every(Number.isFinite)).toBe(true);
  });

  test("steps that ran ahead of a token with NaN end in the sentence, and cold sampling in none", async () => {
    await using sound = await load((tensor) => tensor);
    const { tokens } = await sound.complete(PROMPT, { maxTokens: 8 });
    // a temperature whose reciprocal no f32 holds is greedy, from the top-K and from whole rows
    for (const options of [{ topK: 5 }, { topP: 0.9 }, {}]) {
      const cold = await sound.complete(PROMPT, { maxTokens: 8, temperature: 5e-324, seed: 1, ...options });
      expect(cold.tokens).toEqual(tokens);
    }
    const late = tokens[5]!; // its row is fed when others have been queued behind it
    expect([...PROMPT, ...tokens.slice(0, 5)]).not.toContain(late);
    await using model = await load(plant("model.embed_tokens.weight", NaN, late * TINY.hidden_size));
    const seen: number[] = [];
    const run = async () => {
      for await (const piece of model.generate(PROMPT, { maxTokens: 40 })) seen.push(...piece.tokens);
    };
    expect(await messageOf(run())).toMatch(SENTENCE);
    expect(seen.length).toBeLessThan(8);
    // and the model goes on with what has no NaN in it
    expect(await messageOf(model.complete(PROMPT, { maxTokens: 4 }))).toContain(JSON.stringify(tokens.slice(0, 4)));
  });
});

describe("the command line", () => {
  const folder = mkdtempSync(join(tmpdir(), "kedge-not-numbers-"));
  const broken = join(folder, "broken");
  const shipped = fileURLToPath(new URL("../../models/kedge-js-5m/", import.meta.url));
  beforeAll(() => {
    cpSync(shipped, broken, { recursive: true });
    const bytes = readFileSync(join(shipped, "model.safetensors"));
    bytes.writeUInt16LE(0x7fc0, bytes.length - 2);
    writeFileSync(join(broken, "model.safetensors"), bytes);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each([[], ["--temperature", "1", "--top-k", "5"], ["--samples", "2"]])("run %s ends with 1", async (...args) => {
    const { code, stdout, stderr } = await kedge(["run", broken, "function", "--device", "wasm", "--quiet", ...args]);
    expect(stderr).toMatch(/^kedge: no token has a probability: of \d+ logits (one is NaN|that of token)[^\n]*\n$/);
    expect([code, stdout.trim()]).toEqual([1, ""]);
  });
});

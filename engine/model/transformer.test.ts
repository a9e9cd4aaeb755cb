// What a forward pass costs in calls and memory, for every family and everything that a step may leave behind.

import { describe, expect, test } from "vitest";
import { PATTERN_KINDS } from "../../kernels/index.ts";
import { MODEL_TYPES } from "../../loaders/index.ts";
import { FAMILY_CONFIGS, RECORDED_ROWS, familyConfig, recordFamily } from "../../tests/support/family-models.ts";
import { TOP_LOGITS } from "../generate/decoder.ts";
import { tapMarker } from "./tap-marker.ts";

/** The kernels of a program: before the layers, of each layer, behind the layers. */
function outline({ config, recording }: Awaited<ReturnType<typeof recordFamily>>): string[] {
  const ofLayers = Array.from({ length: config.layers }, () => [] as string[]);
  const [before, behind]: string[][] = [[], []];
  for (const { kernel, label } of recording.program.calls) {
    const layer = /^blocks\.(\d+)\./.exec(label)?.[1];
    const part = layer !== undefined ? ofLayers[Number(layer)] : ofLayers[0]!.length === 0 ? before : behind;
    part!.push(kernel.name);
  }
  return [before!, ...ofLayers, behind!].map((names) => names.join(" "));
}

/** What the layers of a family cost. */
const LAYERS = {
  llama: "rms-norm linear rotate-store attend linear rms-norm gated-linear linear",
  gpt2: "layer-norm linear rotate-store attend linear layer-norm linear linear",
  parallel: "layer-norm linear rotate-store attend linear linear linear",
  gemma2: "rms-norm linear rotate-store attend linear rms-norm rms-norm gated-linear linear rms-norm",
} as const;

/** Kernels of a layer, and bytes of the activations on the reference device: 8 for a number, 4 for an integer. */
const COSTS: readonly [name: string, layer: keyof typeof LAYERS, bytes: number][] = [
  ["llama", "llama", 26_172],
  ["llama with biases", "llama", 26_172],
  ["llama with layer-wise anchors", "llama", 26_492],
  ["mistral", "llama", 26_172],
  ["qwen2", "llama", 26_172],
  ["qwen3", "llama", 26_172],
  ["gpt2", "gpt2", 25_916],
  ["gpt_bigcode", "gpt2", 22_076],
  ["starcoder2", "gpt2", 23_996],
  ["codegen", "parallel", 26_172],
  ["gpt_neox", "gpt2", 26_172],
  ["gpt_neox in sequence", "gpt2", 26_172],
  ["phi", "parallel", 26_172],
  ["gemma2", "gemma2", 31_292],
];

test("the table of costs has every family and variant", () => {
  expect(COSTS.map(([name]) => name)).toEqual(Object.keys(FAMILY_CONFIGS));
  const types = Object.keys(FAMILY_CONFIGS).map((name) => FAMILY_CONFIGS[name]!["model_type"]);
  expect(new Set(types)).toEqual(new Set(MODEL_TYPES));
});

// Calls and bytes that grow make every token slower: a change of this table needs a measurement.
describe.each(COSTS)("%s", (name, layerName, bytes) => {
  const layer = LAYERS[layerName];
  const norm = layer.split(" ")[0]!;

  test("has these calls and activations, and stages behind them", async () => {
    const made = await recordFamily(name);
    const { config, recording, activationBytes } = made;
    const layers = Array.from({ length: config.layers }, () => layer);
    expect(outline(made)).toEqual(["embed", ...layers, `select-rows ${norm} linear argmax token-log-prob`]);
    const body = 1 + config.layers * layer.split(" ").length;
    const { logits, greedy, scored, topLogits } = recording;
    expect([recording.body, logits, greedy, scored, topLogits]).toEqual([body, body + 3, body + 4, body + 5, body + 3]);
    expect(recording.taps).toEqual([]);
    expect(activationBytes).toBe(bytes);
  });

  test("ends with the top-K logits in one call", async () => {
    const made = await recordFamily(name, { wantsTopLogits: true });
    expect(outline(made).at(-1)).toBe(`select-rows ${norm} linear top-k`);
    const { body, logits, greedy, scored, topLogits } = made.recording;
    expect([logits, greedy, scored, topLogits]).toEqual([body + 3, body + 3, body + 3, body + 4]);
    // logits and tokens, and a sum, of one output
    const count = Math.min(TOP_LOGITS, made.config.vocabSize);
    expect(made.activationBytes).toBe(bytes + count * (8 + 4) + 8);
  });

  test("makes statistics of attention in two calls of their layer, key norms in one", async () => {
    const weighed = await recordFamily(name, { attentionLayers: [1] });
    const withSums = layer.replace("attend", "attend-pattern sum-heads attend");
    expect(outline(weighed).slice(1, 3)).toEqual([layer, withSums]);
    // patterns have no room yet: one number each
    expect(weighed.activationBytes).toBe(bytes + 2 * 8);
    const normed = await recordFamily(name, { wantsKeyNorms: true });
    const layers = Array.from({ length: normed.config.layers }, () => layer.replace("attend", "key-norm attend"));
    expect(outline(normed).slice(1, -1)).toEqual(layers);
    expect(normed.activationBytes).toBe(bytes + normed.config.layers * RECORDED_ROWS * 8);
  });
});

test("layers with anchors of another layer read its cache, also where their statistics are made", async () => {
  const { recording } = await recordFamily("llama with layer-wise anchors", { attentionLayers: [2] });
  const sources = recording.program.calls
    .filter(({ kernel }) => kernel.name.startsWith("attend"))
    .map(({ kernel, label, buffers, params }) => [kernel.name, label, buffers["sourceCache"]?.label, params["kind"]]);
  expect(sources).toEqual([
    ["attend", "blocks.0.attn.z", undefined, undefined],
    ["attend", "blocks.1.attn.z", undefined, undefined],
    ["attend-pattern", "blocks.2.attn.hook_pattern", "blocks.0.attn.cache", PATTERN_KINDS.pattern],
    ["attend", "blocks.2.attn.z", "blocks.0.attn.cache", undefined],
    ["attend", "blocks.3.attn.z", "blocks.1.attn.cache", undefined],
  ]);
});

/** Calls that one tap adds. */
async function addedBy(name: string, tap: string, how: "wants" | "edits" = "wants"): Promise<number> {
  const plain = await recordFamily(name);
  const isTap = (one: string) => one === tap;
  const asked = { wants: isTap, edits: (one: string) => how === "edits" && isTap(one) };
  const taps = tapMarker(asked, familyConfig(name));
  const { recording } = await recordFamily(name, { taps });
  expect(recording.taps.map((one) => one.name)).toEqual([tap]);
  return recording.program.calls.length - plain.recording.program.calls.length;
}

test.each([
  ["llama", "hook_embed", 0],
  ["gpt2", "hook_embed", 2],
  ["llama", "blocks.0.hook_resid_mid", 0],
  ["llama", "blocks.0.ln1.hook_out", 0],
  ["llama", "blocks.0.ln1.hook_normalized", 1],
  ["gpt2", "blocks.0.ln2.hook_normalized", 1],
  ["llama", "blocks.0.attn.hook_q", 0],
  ["llama", "blocks.0.attn.hook_rot_k", 1],
  ["llama", "blocks.0.attn.hook_attn_scores", 1],
  ["llama", "blocks.0.attn.hook_pattern", 1],
  ["llama", "blocks.0.attn.hook_z", 0],
  ["llama", "blocks.0.hook_attn_out", 1],
  ["gemma2", "blocks.0.hook_attn_out", 1],
  ["gemma2", "blocks.0.ln1_post.hook_normalized", 2],
  ["llama", "blocks.0.mlp.hook_pre", 2],
  ["gpt2", "blocks.0.mlp.hook_pre", 1],
  ["llama", "blocks.0.mlp.hook_post", 0],
  ["llama", "ln_final.hook_normalized", 1],
] as const)("of %s, capturing %s adds %i calls", async (name, tap, calls) => {
  expect(await addedBy(name, tap)).toBe(calls);
});

test("editing a pattern takes attention apart, and no more", async () => {
  expect(await addedBy("llama", "blocks.0.attn.hook_pattern", "edits")).toBe(1);
  expect(await addedBy("llama", "blocks.0.attn.hook_attn_scores", "edits")).toBe(2);
  expect(await addedBy("llama", "blocks.0.hook_resid_pre", "edits")).toBe(0);
});

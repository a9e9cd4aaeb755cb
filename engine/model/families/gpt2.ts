import type { Family } from "./family.ts";

/** GPT-2: learned positions, layer norms, matrices stored transposed. */
export const gpt2: Family = {
  prefixes: ["transformer.", ""],
  norm: "layer",
  normWeightOffset: 0,
  isInterleaved: false,
  isTransposed: true,
  embeddingScale: () => 1,
  embedding: "wte",
  positions: "wpe",
  finalNorm: "ln_f",
  head: "lm_head",
  hasHeadBias: false,
  layer: {
    attentionNorm: "h.{i}.ln_1",
    qkv: { fused: "h.{i}.attn.c_attn", order: ({ dim }) => [{ begin: 0, count: 3 * dim }] },
    out: "h.{i}.attn.c_proj",
    mlpNorm: "h.{i}.ln_2",
    up: "h.{i}.mlp.c_fc",
    down: "h.{i}.mlp.c_proj",
  },
  ignored: /h\.\d+\.attn\.(bias|masked_bias)$/,
};

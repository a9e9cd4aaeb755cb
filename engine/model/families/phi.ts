import type { Family } from "./family.ts";

/** Phi-1, 1.5, 2: parallel layers with one norm, partial rotation, biases everywhere. */
export const phi: Family = {
  prefixes: ["model.", ""],
  norm: "layer",
  normWeightOffset: 0,
  isInterleaved: false,
  isTransposed: false,
  embeddingScale: () => 1,
  embedding: "embed_tokens",
  finalNorm: "final_layernorm",
  head: "lm_head",
  hasHeadBias: true,
  layer: {
    attentionNorm: "layers.{i}.input_layernorm",
    qkv: {
      q: "layers.{i}.self_attn.q_proj",
      k: "layers.{i}.self_attn.k_proj",
      v: "layers.{i}.self_attn.v_proj",
    },
    out: "layers.{i}.self_attn.dense",
    up: "layers.{i}.mlp.fc1",
    down: "layers.{i}.mlp.fc2",
  },
};

import type { Family } from "./family.ts";

/** Llama, and the plan that Mistral, Qwen2 and Qwen3 share. */
export const llama: Family = {
  prefixes: ["model.", ""],
  norm: "rms",
  normWeightOffset: 0,
  isInterleaved: false,
  isTransposed: false,
  embeddingScale: () => 1,
  embedding: "embed_tokens",
  finalNorm: "norm",
  head: "lm_head",
  hasHeadBias: false,
  layer: {
    attentionNorm: "layers.{i}.input_layernorm",
    qkv: {
      q: "layers.{i}.self_attn.q_proj",
      k: "layers.{i}.self_attn.k_proj",
      v: "layers.{i}.self_attn.v_proj",
    },
    out: "layers.{i}.self_attn.o_proj",
    mlpNorm: "layers.{i}.post_attention_layernorm",
    gate: "layers.{i}.mlp.gate_proj",
    up: "layers.{i}.mlp.up_proj",
    down: "layers.{i}.mlp.down_proj",
  },
  ignored: /rotary_emb\.inv_freq$/,
};

import type { Family } from "./family.ts";
import { llama } from "./llama.ts";

/** Llama's attention with layer norms and a plain feed-forward network. */
export const starcoder2: Family = {
  ...llama,
  norm: "layer",
  layer: {
    attentionNorm: llama.layer.attentionNorm,
    qkv: llama.layer.qkv,
    out: llama.layer.out,
    mlpNorm: "layers.{i}.post_attention_layernorm",
    up: "layers.{i}.mlp.c_fc",
    down: "layers.{i}.mlp.c_proj",
  },
};

import type { Family } from "./family.ts";
import { llama } from "./llama.ts";

/** Llama's plan with norms on both sides of each part, and embeddings scaled by the square root of the width. */
export const gemma2: Family = {
  ...llama,
  normWeightOffset: 1,
  embeddingScale: ({ dim }) => Math.sqrt(dim),
  layer: {
    ...llama.layer,
    postAttentionNorm: "layers.{i}.post_attention_layernorm",
    mlpNorm: "layers.{i}.pre_feedforward_layernorm",
    postMlpNorm: "layers.{i}.post_feedforward_layernorm",
  },
};

import type { ModelConfig } from "../../../loaders/index.ts";
import type { Family, RowRun } from "./family.ts";

/** Fused rows are [heads][q | k | v]. */
function order({ heads, headDim }: ModelConfig): readonly RowRun[] {
  return [0, 1, 2].flatMap((part) =>
    Array.from({ length: heads }, (_, head) => ({ begin: (head * 3 + part) * headDim, count: headDim })),
  );
}

/** GPT-NeoX, Pythia. */
export const gptNeox: Family = {
  prefixes: ["gpt_neox.", ""],
  norm: "layer",
  normWeightOffset: 0,
  isInterleaved: false,
  isTransposed: false,
  embeddingScale: () => 1,
  embedding: "embed_in",
  finalNorm: "final_layer_norm",
  head: "embed_out",
  hasHeadBias: false,
  layer: {
    attentionNorm: "layers.{i}.input_layernorm",
    qkv: { fused: "layers.{i}.attention.query_key_value", order },
    out: "layers.{i}.attention.dense",
    mlpNorm: "layers.{i}.post_attention_layernorm",
    up: "layers.{i}.mlp.dense_h_to_4h",
    down: "layers.{i}.mlp.dense_4h_to_h",
  },
  ignored: /attention\.(bias|masked_bias|rotary_emb\.inv_freq)$/,
};

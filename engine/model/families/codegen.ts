import type { ModelConfig } from "../../../loaders/index.ts";
import type { Family, RowRun } from "./family.ts";

/** Checkpoints were cut for four accelerators: the fused rows are [4][q | v | k][heads / 4]. */
const PARTS = 4;
const PLACE = { q: 0, v: 1, k: 2 } as const;

function order({ heads, headDim }: ModelConfig): readonly RowRun[] {
  const width = (heads / PARTS) * headDim;
  return (["q", "k", "v"] as const).flatMap((role) =>
    Array.from({ length: PARTS }, (_, part) => ({ begin: (part * 3 + PLACE[role]) * width, count: width })),
  );
}

/** CodeGen: GPT-J's parallel layers with one norm and interleaved rotation. */
export const codegen: Family = {
  prefixes: ["transformer.", ""],
  norm: "layer",
  normWeightOffset: 0,
  isInterleaved: true,
  isTransposed: false,
  embeddingScale: () => 1,
  embedding: "wte",
  finalNorm: "ln_f",
  head: "lm_head",
  hasHeadBias: true,
  layer: {
    attentionNorm: "h.{i}.ln_1",
    qkv: { fused: "h.{i}.attn.qkv_proj", order },
    out: "h.{i}.attn.out_proj",
    up: "h.{i}.mlp.fc_in",
    down: "h.{i}.mlp.fc_out",
  },
  ignored: /h\.\d+\.attn\.(causal_mask|bias|masked_bias)$/,
};

import type { ModelConfig } from "../../../loaders/index.ts";
import type { Family, RowRun } from "./family.ts";
import { gpt2 } from "./gpt2.ts";

/** With one key/value head the rows are [q | k | v]; with as many as query heads, each head's q, k, v lie together. */
function order({ heads, kvHeads, headDim }: ModelConfig): readonly RowRun[] {
  if (kvHeads === 1) return [{ begin: 0, count: (heads + 2) * headDim }];
  return [0, 1, 2].flatMap((part) =>
    Array.from({ length: heads }, (_, head) => ({ begin: (head * 3 + part) * headDim, count: headDim })),
  );
}

/** GPT-BigCode (SantaCoder, StarCoder): GPT-2 with multi-query attention. */
export const gptBigcode: Family = {
  ...gpt2,
  isTransposed: false,
  layer: { ...gpt2.layer, qkv: { fused: "h.{i}.attn.c_attn", order } },
};

import type { Family } from "./family.ts";
import { llama } from "./llama.ts";

/** Llama's plan with q and k normed per head. */
export const qwen3: Family = {
  ...llama,
  layer: { ...llama.layer, qNorm: "layers.{i}.self_attn.q_norm", kNorm: "layers.{i}.self_attn.k_norm" },
};

// What the attention kernels (attend, attend-pattern) have in common: their parameters, and sizes of the buffers that they share.

import { VISIBILITY_PARAMS } from "./visible.ts";

/** Parameters common to the kernels that walk a row's keys. */
export const ATTENTION_PARAMS = {
  rows: "u32",
  heads: "u32",
  kvHeads: "u32",
  headDim: "u32",
  list: "u32",
  slotCount: "u32",
  entryCount: "u32",
  scale: "f32",
  softcap: "f32",
  ...VISIBILITY_PARAMS,
} as const;
/** A number for each of ATTENTION_PARAMS. */
export type AttentionParams = { readonly [K in keyof typeof ATTENTION_PARAMS]: number };

/** Sizes of the buffers that the attention kernels share. */
export function attentionSizes(params: AttentionParams) {
  const { rows, heads, kvHeads, headDim, list, slotCount, entryCount } = params;
  return {
    q: rows * heads * headDim,
    cache: slotCount * 2 * kvHeads * headDim,
    ranges: (list + 1) * rows * 4,
    entries: entryCount * 4,
    sourceCache: slotCount * 2 * kvHeads * headDim,
    headBiases: heads * 2,
  };
}

import type { Sample } from "../kernel.ts";

/** One number; odd sizes; SmolLM2's. */
export const shapes: readonly Sample[] = [
  { params: { rows: 1, kvHeads: 1, headDim: 1, list: 0, slotCount: 1 } },
  { params: { rows: 7, kvHeads: 2, headDim: 13, list: 2, slotCount: 9 } },
  { params: { rows: 4, kvHeads: 3, headDim: 64, list: 0, slotCount: 16 } },
];

import type { SampleOf } from "../kernel.ts";
import type { cacheMove } from "./cache-move.ts";

/** Where `cache-move` is tested: heads that fill their words, and heads that do not. */
export const shapes: readonly SampleOf<typeof cacheMove>[] = [1, 2, 3, 4, 5, 20, 33, 64, 192].flatMap((headDim) => [
  { params: { rows: 1, kvHeads: 1, headDim, slotCount: 2 } },
  { params: { rows: 3, kvHeads: 2, headDim, slotCount: 9 } },
  { params: { rows: 16, kvHeads: 1, headDim, slotCount: 32 } },
]);

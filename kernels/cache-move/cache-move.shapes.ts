import type { SampleOf } from "../kernel.ts";
import type { cacheMove } from "./cache-move.ts";

/** Where `cache-move` is tested. */
export const shapes: readonly SampleOf<typeof cacheMove>[] = [2, 6, 8, 10, 40, 384].flatMap((slotLength) => [
  { params: { rows: 1, slotLength, slotCount: 2 } },
  { params: { rows: 3, slotLength, slotCount: 9 } },
  { params: { rows: 16, slotLength, slotCount: 32 } },
]);

import type { SampleOf } from "../kernel.ts";
import type { topK } from "./top-k.ts";

/** Where `top-k` is tested: ties are common in every third row. */
export const shapes: readonly SampleOf<typeof topK>[] = [
  ...[1, 2, 3, 4, 5, 63, 64, 65, 257, 1021].flatMap((columns) =>
    [1, 2, 5].map((rows) => ({ params: { rows, columns, k: Math.min(columns, 64), scale: 0.8 } })),
  ),
  { params: { rows: 2, columns: 300, k: 1, scale: 1 } },
  { params: { rows: 2, columns: 256, k: 256, scale: 2 } },
  { params: { rows: 2, columns: 49152, k: 64, scale: 1 } },
];

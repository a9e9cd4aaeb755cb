import type { SampleOf } from "../kernel.ts";
import type { attendWithPattern } from "./attend-with-pattern.ts";

type Shape = SampleOf<typeof attendWithPattern>;

function shape(rows: number, heads: number, kvHeads: number, headDim: number, entryCount: number): Shape["params"] {
  const slotCount = entryCount + 3;
  return { rows, heads, kvHeads, headDim, list: 0, slotCount, entryCount, columns: entryCount, sourceColumns: 0 };
}

/** Where `attend-with-pattern` is tested. */
export const shapes: readonly Shape[] = [
  ...[1, 2, 3, 4, 5, 8, 12, 16, 20, 33, 64, 128].flatMap((headDim) => [
    { params: shape(2, 2, 1, headDim, 9), absent: ["sourceCache" as const] },
    { params: { ...shape(3, 3, 3, headDim, 17), sourceColumns: 17 } },
  ]),
  ...[1, 2, 3, 4, 5, 31, 65].map((entryCount) => ({
    params: { ...shape(5, 4, 2, 16, entryCount), list: 1, columns: entryCount + 2 },
    absent: ["sourceCache" as const],
  })),
  { params: shape(3, 9, 3, 64, 100), absent: ["sourceCache"] },
];

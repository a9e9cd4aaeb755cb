import type { SampleOf } from "../kernel.ts";
import type { rotate } from "./rotate.ts";

type Shape = SampleOf<typeof rotate>;

function shape(rows: number, heads: number, kvHeads: number, headDim: number, rotaryDims: number): Shape["params"] {
  return { rows, heads, kvHeads, headDim, rotaryDims, interleaved: 0, epsilon: 1e-6 };
}

/** Where `rotate` is tested: odd and even heads, part of a head rotated, both pairings, norms. */
export const shapes: readonly Shape[] = [
  ...[2, 4, 6, 8, 10, 16, 20, 24, 32, 64, 80].flatMap((headDim) => [
    { params: shape(3, 4, 2, headDim, headDim), absent: ["qNorm" as const, "kNorm" as const] },
    { params: { ...shape(2, 2, 2, headDim, headDim), interleaved: 1 } },
    { params: shape(1, 3, 1, headDim, 2), absent: ["qNorm" as const] },
  ]),
  { params: shape(2, 3, 1, 3, 2), absent: ["kNorm"] },
  { params: { ...shape(5, 4, 4, 80, 32), interleaved: 1 }, absent: ["qNorm", "kNorm"] },
  // SmolLM2-135M
  ...[1, 2, 7].map((rows) => ({ params: shape(rows, 9, 3, 64, 64), absent: ["qNorm" as const, "kNorm" as const] })),
];

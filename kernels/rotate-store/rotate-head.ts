// One head of a row of qkv [heads of q | kvHeads of k | kvHeads of v], normed and rotated: what `rotate-store` and `rotate` share.

import type { Floats } from "../kernel.ts";

/** The head's numbers [headDim]: of q and k normed and rotated, of v as they are. */
export function rotateHead(
  {
    qkv,
    rotation,
    qNorm,
    kNorm,
  }: Readonly<Record<"qkv", Floats> & Record<"rotation" | "qNorm" | "kNorm", Floats | undefined>>,
  params: Readonly<Record<"heads" | "kvHeads" | "headDim" | "rotaryDims" | "interleaved" | "epsilon", number>>,
  row: number,
  head: number,
): Float64Array {
  const { heads, kvHeads, headDim, rotaryDims, interleaved, epsilon } = params;
  const half = rotaryDims / 2;
  const isValue = head >= heads + kvHeads;
  const from = (row * (heads + 2 * kvHeads) + head) * headDim;
  const x = Float64Array.from({ length: headDim }, (_, i) => qkv[from + i]!);
  const norm = isValue ? undefined : head < heads ? qNorm : kNorm;
  if (norm) {
    const scale = 1 / Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / headDim + epsilon);
    for (let i = 0; i < headDim; i++) x[i]! *= scale * norm[i]!;
  }
  if (!rotation || isValue) return x;
  for (let i = 0; i < half; i++) {
    const [first, second] = interleaved ? [2 * i, 2 * i + 1] : [i, i + half];
    const cos = rotation[(row * half + i) * 2]!;
    const sin = rotation[(row * half + i) * 2 + 1]!;
    const [a, b] = [x[first]!, x[second]!];
    x[first] = a * cos - b * sin;
    x[second] = b * cos + a * sin;
  }
  return x;
}

import type { SampleOf } from "../kernel.ts";
import type { attend } from "./attend.ts";
import type { AttentionParams } from "./params.ts";
import { DENSE, type VisibilityParams } from "./visible.ts";

type Shape = SampleOf<typeof attend>;

/** A call over `entryCount` keys in about as many slots. */
export function attention(
  rows: number,
  heads: number,
  kvHeads: number,
  headDim: number,
  entryCount: number,
): AttentionParams {
  const slotCount = entryCount + 3;
  const scale = 1 / Math.sqrt(headDim);
  return { rows, heads, kvHeads, headDim, list: 0, slotCount, entryCount, scale, softcap: 0, ...DENSE };
}

const rules: readonly Partial<VisibilityParams>[] = [
  { window: 1 },
  { window: 5 },
  { keepWindow: 3 },
  { keepWindow: 4, sinks: 2 },
  { segmented: 1 },
  { segmented: 1, sinks: 1, anchorSeesAnchors: 0 },
  { segmented: 1, keepRecent: 2, keepWindow: 3, sinks: 1, window: 20 },
];
const alone = ["sourceCache", "headBiases"] as const;

/** Where the attention kernels are tested: heads, groups, counts of keys around every block, every rule of visibility. */
export const shapes: readonly Shape[] = [
  ...[1, 2, 3, 4, 5, 8, 12, 16, 20, 31, 33, 64, 80, 128].flatMap((headDim) => [
    { params: attention(2, 2, 1, headDim, 9), absent: alone },
    { params: attention(3, 3, 3, headDim, 18) },
  ]),
  ...[1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65, 131].flatMap((entryCount) => [
    { params: attention(1, 4, 2, 16, entryCount), absent: alone },
    { params: attention(7, 2, 2, 24, entryCount), absent: ["sourceCache" as const] },
  ]),
  ...[1, 2, 3, 4, 5, 7, 9].map((group) => ({ params: attention(3, group * 2, 2, 32, 21), absent: alone })),
  ...rules.flatMap((rule) => [
    { params: { ...attention(6, 4, 2, 16, 40), ...rule }, absent: alone },
    { params: { ...attention(5, 2, 1, 20, 33), ...rule, list: 1 } },
    { params: { ...attention(1, 3, 1, 64, 50), ...rule, softcap: 2 }, absent: ["headBiases" as const] },
  ]),
  // SmolLM2-135M: decoding, and a piece of a prompt
  { params: attention(1, 9, 3, 64, 200), absent: alone },
  { params: attention(33, 9, 3, 64, 64), absent: alone },
  // more rows than a tile, more keys than a part
  { params: { ...attention(70, 2, 1, 36, 75), window: 40 } },
  { params: attention(2, 2, 1, 16, 700) },
];

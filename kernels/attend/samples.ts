// Lists of keys and settings in which the attention kernels are tried.

import type { Random } from "../kernel.ts";
import type { AttentionParams } from "./params.ts";
import { DENSE, type VisibilityParams } from "./visible.ts";

/** Lists, marks and slots such as a store with several sequences makes, for tests and self-tests. */
export function attentionInputs(params: AttentionParams, random: Random) {
  const { rows, list, slotCount, entryCount } = params;
  const entries = new Uint32Array(entryCount * 4);
  const ranges = new Uint32Array((list + 1) * rows * 4);
  const bias = new Float32Array(1);
  for (let entry = 0, segment = 0; entry < entryCount; entry++) {
    const isAnchor = random.integer(4) === 0;
    bias[0] = random.integer(3) === 0 ? random.normal() : 0;
    const biasBits = new Uint32Array(bias.buffer)[0]!;
    entries.set([random.integer(slotCount), entry, segment * 2 + Number(isAnchor), biasBits], entry * 4);
    segment += Number(isAnchor);
  }
  for (let row = 0; row < (list + 1) * rows; row++) {
    const end = 1 + random.integer(entryCount);
    const begin = random.integer(Math.min(end, 3));
    ranges.set([begin, end, entries[(end - 1) * 4 + 1]!, entries[(end - 1) * 4 + 2]!], row * 4);
  }
  return { entries, ranges };
}

const sample: AttentionParams = {
  rows: 3,
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  list: 0,
  slotCount: 13,
  entryCount: 11,
  scale: 0.25,
  softcap: 0,
  ...DENSE,
};
const segmented: Partial<VisibilityParams> = { segmented: 1, sinks: 1, keepRecent: 1, anchorSeesAnchors: 0 };

/** Settings of the known-answer tests of the attention kernels. */
export const ATTENTION_SAMPLES = [
  { params: sample, absent: ["sourceCache", "headBiases"] },
  { params: { ...sample, softcap: 2, window: 4, list: 1, headDim: 24 }, absent: ["sourceCache", "headBiases"] },
  { params: { ...sample, rows: 5, ...segmented } },
] as const;

// Attention of any rows over any lists of keys: z = softmax(scale · q·k, softcapped, + bias) · v over the visible keys.
//
//   cache    [slots, 2, kvHeads, headDim]: of each slot the keys, then the values, of one layer
//   ranges   [lists, rows, 4]: of each row (begin, end) of its keys in `entries`, its position, its mark
//   entries  [entryCount, 4]: of each key its slot, position, mark, and an additive bias (the bits of an f32)
//   sourceCache, headParams  anchors of another layer as a second key source: every anchor j <= i of the row's list is read once
//            more from sourceCache, with headParams[head][0] added to its score (layer-wise anchors). headParams[head][1]
//            scales the entries' biases for that head.
// Query head h reads key/value head floor(h / (heads / kvHeads)). Which keys are visible: visible.ts.
// A row that sees no key yields zeros. The softmax is online in the implementations: no [rows, keys] matrix is stored.

import { headBytes, numberBytes } from "../cost.ts";
import { defineKernel, type Floats, type Random } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";
import { DENSE, isVisible, VISIBILITY_PARAMS, type VisibilityParams } from "./visible.ts";
import { attendedWork, listBytes, SCORE_FLOPS } from "./work.ts";

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
export type AttentionParams = { readonly [K in keyof typeof ATTENTION_PARAMS]: number };

/** What the scores are made from. */
export interface ScoreInputs {
  readonly q: Floats;
  readonly cache: Floats;
  readonly ranges: Uint32Array;
  readonly entries: Uint32Array;
  readonly sourceCache: Floats | undefined;
  readonly headParams: Floats | undefined;
}

const bits = new Uint32Array(1);
const asFloat = new Float32Array(bits.buffer);

/** The f32 that 32 bits stand for. */
export function floatOfBits(word: number): number {
  bits[0] = word;
  return asFloat[0]!;
}

/** Calls `visit` with each visible key of a row for one head: its place in the row's range, cache, slot and score. */
export function forEachScore(
  { q, cache, ranges, entries, sourceCache, headParams }: ScoreInputs,
  params: AttentionParams,
  row: number,
  head: number,
  visit: (place: number, isSource: boolean, slot: number, score: number) => void,
): void {
  const { rows, heads, kvHeads, headDim, list, scale, softcap } = params;
  const kvHead = Math.floor(head / (heads / kvHeads));
  const range = (list * rows + row) * 4;
  const [begin, end, position, mark] = [ranges[range]!, ranges[range + 1]!, ranges[range + 2]!, ranges[range + 3]!];
  const sourceBias = headParams ? headParams[head * 2]! : 0;
  const biasScale = headParams ? headParams[head * 2 + 1]! : 1;
  for (let entry = begin; entry < end; entry++) {
    const [slot, keyPosition, keyMark] = [entries[entry * 4]!, entries[entry * 4 + 1]!, entries[entry * 4 + 2]!];
    const bias = floatOfBits(entries[entry * 4 + 3]!) * biasScale;
    const scoreIn = (keys: Floats) => {
      let dot = 0;
      for (let i = 0; i < headDim; i++) {
        dot += q[(row * heads + head) * headDim + i]! * keys[(slot * 2 * kvHeads + kvHead) * headDim + i]!;
      }
      const score = dot * scale;
      return softcap > 0 ? softcap * Math.tanh(score / softcap) : score;
    };
    if (isVisible(params, position, mark, keyPosition, keyMark))
      visit(entry - begin, false, slot, scoreIn(cache) + bias);
    if (sourceCache && keyMark & 1 && keyPosition <= position) {
      visit(entry - begin, true, slot, scoreIn(sourceCache) + bias + sourceBias);
    }
  }
}

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

/** Sizes of the buffers that the attention kernels share. */
export function attentionSizes(params: AttentionParams) {
  const { rows, heads, kvHeads, headDim, list, slotCount, entryCount } = params;
  return {
    q: rows * heads * headDim,
    cache: slotCount * 2 * kvHeads * headDim,
    ranges: (list + 1) * rows * 4,
    entries: entryCount * 4,
    sourceCache: slotCount * 2 * kvHeads * headDim,
    headParams: heads * 2,
  };
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
  { params: sample, absent: ["sourceCache", "headParams"] },
  { params: { ...sample, softcap: 2, window: 4, list: 1, headDim: 24 }, absent: ["sourceCache", "headParams"] },
  { params: { ...sample, rows: 5, ...segmented } },
] as const;

export const attend = defineKernel({
  name: "attend",
  buffers: {
    q: "read",
    cache: "cache",
    ranges: "read u32",
    entries: "read u32",
    sourceCache: "cache optional",
    headParams: "read optional",
    z: "write",
  },
  params: ATTENTION_PARAMS,
  sizes: (params) => ({ ...attentionSizes(params), z: params.rows * params.heads * params.headDim }),
  reference(buffers, params) {
    const { rows, heads, kvHeads, headDim } = params;
    const { cache, sourceCache, z } = buffers;
    for (let row = 0; row < rows; row++) {
      for (let head = 0; head < heads; head++) {
        const kvHead = Math.floor(head / (heads / kvHeads));
        let largest = Number.NEGATIVE_INFINITY;
        forEachScore(buffers, params, row, head, (_place, _isSource, _slot, score) => {
          largest = Math.max(largest, score);
        });
        const sums = new Float64Array(headDim);
        let total = 0;
        forEachScore(buffers, params, row, head, (_place, isSource, slot, score) => {
          const weight = Math.exp(score - largest);
          const values = isSource ? sourceCache! : cache;
          total += weight;
          for (let i = 0; i < headDim; i++) {
            sums[i]! += weight * values[((slot * 2 + 1) * kvHeads + kvHead) * headDim + i]!;
          }
        });
        for (let i = 0; i < headDim; i++) z[(row * heads + head) * headDim + i] = total > 0 ? sums[i]! / total : 0;
      }
    }
  },
  bound: ({ headDim }) => ({ absolute: 4e-6 * Math.sqrt(headDim), relative: 2e-5 }),
  cost: (params, setting, inputs) => {
    const { rows, heads, kvHeads, headDim } = params;
    const { pairs, keys } = attendedWork(params, setting, inputs);
    return {
      flops: pairs * heads * (4 * headDim + SCORE_FLOPS),
      bytes:
        numberBytes(2 * rows * heads * headDim) +
        headBytes(setting, "cache", 2 * keys * kvHeads, headDim) +
        listBytes(params),
    };
  },
  inputs: attentionInputs,
  samples: ATTENTION_SAMPLES,
  implementations: [...wasm],
});

// Layouts of attention. README.md lists the files of this folder.
//
//   cache    [slots, 2, kvHeads, headDim]: the keys of each slot, then its values, for one layer
//   ranges   [lists, rows, 4]: (begin, end) of the row's keys in `entries`, the row's position, its mark
//   entries  [entryCount, 4]: a key's slot, position, mark, and a bias (the bits of an f32) that is added to its score
//   sourceCache  [slots, 2, kvHeads, headDim]: the cache of another layer, which is read a second time for every anchor j <= i of the
//            row's list (layer-wise anchors)
//   headBiases   [heads, 2]: (what is added to scores of the source's keys, the factor of the entries' biases)
//
// Query head h reads key/value head floor(h / (heads / kvHeads)).

import { defineKernel } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";
import { ATTENTION_PARAMS, attentionSizes } from "./params.ts";
import { ATTENTION_SAMPLES, attentionInputs } from "./samples.ts";
import { forEachScore } from "./scores.ts";

/**
 * Attention (arXiv 1706.03762): z = softmax(softcap(scale · q·k) + bias) · v over the keys that a row sees.
 * q, z [rows, heads, headDim]; cache, sourceCache [slotCount, 2, kvHeads, headDim]; ranges [list + 1, rows, 4];
 * entries [entryCount, 4]; headBiases [heads, 2]. Which keys are visible: visible.ts. A row that sees none gets zeros, and so does one
 * that sees scores of -Infinity only. A score of NaN or Infinity makes NaN.
 */
export const attend = defineKernel({
  name: "attend",
  buffers: {
    q: "read",
    cache: "cache",
    ranges: "read u32",
    entries: "read u32",
    sourceCache: "cache optional",
    headBiases: "read optional",
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
          const share = score === -Infinity ? 0 : Math.exp(score - largest);
          const values = isSource ? sourceCache! : cache;
          total += share;
          for (let i = 0; i < headDim; i++) {
            sums[i]! += share * values[((slot * 2 + 1) * kvHeads + kvHead) * headDim + i]!;
          }
        });
        for (let i = 0; i < headDim; i++) z[(row * heads + head) * headDim + i] = total === 0 ? 0 : sums[i]! / total;
      }
    }
  },
  bound: ({ headDim }) => ({ absolute: 4e-6 * Math.sqrt(headDim), relative: 2e-5 }),
  inputs: attentionInputs,
  samples: ATTENTION_SAMPLES,
  implementations: [...wasm],
});

import { ATTENTION_PARAMS, attentionSizes } from "../attend/params.ts";
import { ATTENTION_SAMPLES, attentionInputs } from "../attend/samples.ts";
import { forEachScore } from "../attend/scores.ts";
import { defineKernel } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/** Values of `kind`. */
export const PATTERN_KINDS = { scores: 0, pattern: 1 } as const;

/**
 * The scores of attention, or their softmax, which `attend` does not store.
 * Buffers as in `attend`, and pattern [rows, heads, columns + sourceColumns]: column e is the e-th key of the row's range, column
 * columns + e the same key in the second source. `kind` is a value of PATTERN_KINDS; a key that is not visible has the score
 * -Infinity and the share 0. Where a score is NaN or Infinity, the shares of all visible keys are NaN.
 */
export const attendPattern = defineKernel({
  name: "attend-pattern",
  buffers: {
    q: "read",
    cache: "cache",
    ranges: "read u32",
    entries: "read u32",
    sourceCache: "cache optional",
    headBiases: "read optional",
    pattern: "write",
  },
  // columns: at least the longest range of any row; sourceColumns: equal to columns with a second source, 0 without
  params: { ...ATTENTION_PARAMS, columns: "u32", sourceColumns: "u32", kind: "u32" },
  sizes: (params) => ({
    ...attentionSizes(params),
    pattern: params.rows * params.heads * (params.columns + params.sourceColumns),
  }),
  reference(buffers, params) {
    const { rows, heads, columns, sourceColumns, kind } = params;
    const { pattern } = buffers;
    const width = columns + sourceColumns;
    for (let row = 0; row < rows; row++) {
      for (let head = 0; head < heads; head++) {
        const line = pattern.subarray((row * heads + head) * width, (row * heads + head + 1) * width);
        line.fill(Number.NEGATIVE_INFINITY);
        forEachScore(buffers, params, row, head, (place, isSource, _slot, score) => {
          line[isSource ? columns + place : place] = score;
        });
        if (kind === PATTERN_KINDS.scores) continue;
        let largest = Number.NEGATIVE_INFINITY;
        for (let i = 0; i < width; i++) largest = Math.max(largest, line[i]!);
        if (largest === Infinity) largest = Number.NaN;
        let total = 0;
        for (let i = 0; i < width; i++) total += line[i] = line[i] === -Infinity ? 0 : Math.exp(line[i]! - largest);
        if (total > 0) for (let i = 0; i < width; i++) line[i]! /= total;
      }
    }
  },
  bound: ({ headDim }) => ({ absolute: 4e-6 * Math.sqrt(headDim), relative: 2e-5 }),
  inputs: attentionInputs,
  samples: [
    {
      params: { ...ATTENTION_SAMPLES[0].params, columns: 11, sourceColumns: 0, kind: 1 },
      absent: ["sourceCache", "headBiases"],
    },
    {
      params: { ...ATTENTION_SAMPLES[1].params, columns: 12, sourceColumns: 0, kind: 0 },
      absent: ["sourceCache", "headBiases"],
    },
    { params: { ...ATTENTION_SAMPLES[2].params, columns: 11, sourceColumns: 11, kind: 1 } },
  ],
  implementations: [...wasm],
});

import { defineKernel, sumBound } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * Norms of cached keys: y[row] = the mean over key/value heads of |k|, for the key in the row's slot.
 * A small norm marks a key that queries attend to (arXiv 2406.11430). cache [slotCount, 2, kvHeads, headDim], slots [list + 1, rows],
 * y [rows].
 */
export const keyNorm = defineKernel({
  name: "key-norm",
  buffers: { cache: "cache", slots: "read u32", y: "write" },
  params: { rows: "u32", kvHeads: "u32", headDim: "u32", list: "u32", slotCount: "u32" },
  sizes: ({ rows, kvHeads, headDim, list, slotCount }) => ({
    cache: slotCount * 2 * kvHeads * headDim,
    slots: (list + 1) * rows,
    y: rows,
  }),
  reference({ cache, slots, y }, { rows, kvHeads, headDim, list }) {
    for (let row = 0; row < rows; row++) {
      const begin = slots[list * rows + row]! * 2 * kvHeads * headDim;
      let total = 0;
      for (let head = 0; head < kvHeads; head++) {
        let squares = 0;
        for (let i = 0; i < headDim; i++) squares += cache[begin + head * headDim + i]! ** 2;
        total += Math.sqrt(squares);
      }
      y[row] = total / kvHeads;
    }
  },
  bound: ({ headDim }) => sumBound(headDim),
  inputs: ({ rows, list, slotCount }, random) => ({
    slots: Uint32Array.from({ length: (list + 1) * rows }, () => random.integer(slotCount)),
  }),
  samples: [
    { params: { rows: 3, kvHeads: 2, headDim: 16, list: 0, slotCount: 5 } },
    { params: { rows: 2, kvHeads: 3, headDim: 20, list: 1, slotCount: 7 } },
  ],
  implementations: [...wasm],
});

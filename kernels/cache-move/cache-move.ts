import { defineKernel, exact, shuffled } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * Copies slots of a layer's cache, to the bit: slot moves[i][1] becomes slot moves[i][0].
 * moves [rows, 2], cache [slotCount, 2, kvHeads, headDim]. No slot may be both read and written.
 */
export const cacheMove = defineKernel({
  name: "cache-move",
  buffers: { moves: "read u32", cache: "cache read-write" },
  params: { rows: "u32", kvHeads: "u32", headDim: "u32", slotCount: "u32" },
  sizes: ({ rows, kvHeads, headDim, slotCount }) => ({ moves: rows * 2, cache: slotCount * 2 * kvHeads * headDim }),
  reference({ moves, cache }, { rows, kvHeads, headDim }) {
    const slotLength = 2 * kvHeads * headDim;
    for (let row = 0; row < rows; row++) {
      const [from, to] = [moves[row * 2]! * slotLength, moves[row * 2 + 1]! * slotLength];
      for (let i = 0; i < slotLength; i++) cache[to + i] = cache[from + i]!;
    }
  },
  bound: () => exact,
  inputs: ({ rows, slotCount }, random) => {
    const order = shuffled(slotCount, random);
    return { moves: Uint32Array.from({ length: rows * 2 }, (_, i) => order[i]!) };
  },
  samples: [{ params: { rows: 3, kvHeads: 2, headDim: 10, slotCount: 9 } }],
  implementations: [...wasm],
});

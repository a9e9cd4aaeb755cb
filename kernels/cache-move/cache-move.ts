// Moves slots of a layer's cache: slot moves[i][1] becomes a copy of slot moves[i][0]. No slot is both read and written.

import { defineKernel, exact, shuffled } from "../kernel.ts";
import { gpu } from "./on-gpu.ts";
import { wasm } from "./on-wasm.ts";

export const cacheMove = defineKernel({
  name: "cache-move",
  buffers: { moves: "read u32", cache: "read-write" },
  // slotLength: numbers in a slot, 2 · kvHeads · headDim
  params: { rows: "u32", slotLength: "u32", slotCount: "u32" },
  sizes: ({ rows, slotLength, slotCount }) => ({ moves: rows * 2, cache: slotCount * slotLength }),
  reference({ moves, cache }, { rows, slotLength }) {
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
  samples: [{ params: { rows: 3, slotLength: 40, slotCount: 9 } }],
  implementations: [...gpu, ...wasm],
});

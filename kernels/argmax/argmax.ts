import { numberBytes } from "../cost.ts";
import { defineKernel, exact } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * The column of the largest number of each row, the first one of equal numbers; NaN is never the largest.
 * x [rows, columns], best [rows].
 */
export const argmax = defineKernel({
  name: "argmax",
  buffers: { x: "read", best: "write u32" },
  params: { rows: "u32", columns: "u32" },
  sizes: ({ rows, columns }) => ({ x: rows * columns, best: rows }),
  reference({ x, best }, { rows, columns }) {
    for (let row = 0; row < rows; row++) {
      let largest = Number.NEGATIVE_INFINITY;
      let index = 0;
      for (let i = 0; i < columns; i++) {
        const value = x[row * columns + i]!;
        if (value > largest) {
          largest = value;
          index = i;
        }
      }
      best[row] = index;
    }
  },
  bound: () => exact,
  // A comparison a number.
  cost: ({ rows, columns }) => ({ flops: rows * columns, bytes: numberBytes(rows * (columns + 1)) }),
  // Few distinct values, so that ties are common.
  inputs: ({ rows, columns }, random) => ({
    x: Float64Array.from({ length: rows * columns }, () => random.integer(9) - 12),
  }),
  samples: [{ params: { rows: 3, columns: 261 } }, { params: { rows: 1, columns: 1 } }],
  implementations: [...wasm],
});

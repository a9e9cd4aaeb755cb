import { rowsToChooseFrom } from "../argmax/rows.ts";
import { defineKernel } from "../kernel.ts";
import { gpu } from "./on-gpu.ts";
import { wasm } from "./on-wasm.ts";

/**
 * Of each row its largest number and log Σ exp: y[row] = (max x, max x + log Σ exp(x - max x)). x [rows, columns], y [rows, 2]. Two NaNs
 * for a row in which a number is NaN or Infinity or none is above -Infinity. With `wantsSum` 0 the second number is max x, too: a shift
 * that is quicker to find, for callers who only compare numbers of a row. `combine-rows` reads them.
 */
export const logSumExp = defineKernel({
  name: "log-sum-exp",
  buffers: { x: "read", y: "write" },
  params: { rows: "u32", columns: "u32", wantsSum: "u32" },
  sizes: ({ rows, columns }) => ({ x: rows * columns, y: rows * 2 }),
  reference({ x, y }, { rows, columns, wantsSum }) {
    for (let row = 0; row < rows; row++) {
      let largest = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < columns; i++) largest = Math.max(largest, x[row * columns + i]!);
      let total = 0;
      for (let i = 0; i < columns; i++) total += Math.exp(x[row * columns + i]! - largest);
      y[row * 2] = Number.isNaN(total) ? total : largest;
      y[row * 2 + 1] = wantsSum === 0 ? y[row * 2]! : largest + Math.log(total);
    }
  },
  bound: () => ({ absolute: 1e-5, relative: 1e-5 }),
  inputs: ({ rows, columns }, random) => ({ x: rowsToChooseFrom(rows, columns, () => random.normal() * 4, random) }),
  samples: [
    { params: { rows: 9, columns: 261, wantsSum: 1 } },
    { params: { rows: 9, columns: 37, wantsSum: 0 } },
    { params: { rows: 1, columns: 2, wantsSum: 1 } },
  ],
  implementations: [...wasm, ...gpu],
});

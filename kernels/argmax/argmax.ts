import { defineKernel, exact } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";
import { rowsToChooseFrom } from "./rows.ts";

/**
 * The column of the largest number of each row, the first one of equal numbers; `columns`, which is no column, for a row in which a
 * number is NaN or Infinity or none is above -Infinity, as f32. x [rows, columns], best [rows].
 */
export const argmax = defineKernel({
  name: "argmax",
  buffers: { x: "read", best: "write u32" },
  params: { rows: "u32", columns: "u32" },
  sizes: ({ rows, columns }) => ({ x: rows * columns, best: rows }),
  reference({ x, best }, { rows, columns }) {
    for (let row = 0; row < rows; row++) {
      let largest = Number.NEGATIVE_INFINITY;
      let index = columns;
      let isBroken = false;
      for (let i = 0; i < columns; i++) {
        const value = x[row * columns + i]!;
        if (!(Math.fround(value) < Infinity)) isBroken = true;
        if (value > largest) {
          largest = value;
          index = i;
        }
      }
      best[row] = isBroken ? columns : index;
    }
  },
  bound: () => exact,
  inputs: ({ rows, columns }, random) => ({ x: rowsToChooseFrom(rows, columns, () => random.integer(9) - 12, random) }),
  samples: [{ params: { rows: 9, columns: 261 } }, { params: { rows: 1, columns: 1 } }],
  implementations: [...wasm],
});

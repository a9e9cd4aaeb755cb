import { defineKernel } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * Softmax of each row: y = exp(x - max x) / sum, x and y [rows, columns]. -Infinity gets 0, also in a row of nothing else; all else
 * of a row with NaN or Infinity gets NaN.
 */
export const softmax = defineKernel({
  name: "softmax",
  buffers: { x: "read", y: "write" },
  params: { rows: "u32", columns: "u32" },
  sizes: ({ rows, columns }) => ({ x: rows * columns, y: rows * columns }),
  reference({ x, y }, { rows, columns }) {
    for (let row = 0; row < rows; row++) {
      const base = row * columns;
      let largest = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < columns; i++) largest = Math.max(largest, x[base + i]!);
      let total = 0;
      const weight = (value: number) => (value === -Infinity ? 0 : Math.exp(value - largest));
      for (let i = 0; i < columns; i++) total += weight(x[base + i]!);
      for (let i = 0; i < columns; i++) y[base + i] = x[base + i] === -Infinity ? 0 : weight(x[base + i]!) / total;
    }
  },
  bound: () => ({ absolute: 1e-6, relative: 1e-5 }),
  inputs: ({ rows, columns }, random) => ({
    // one row in three has a part, or all, of it masked
    x: Float64Array.from({ length: rows * columns }, (_, i) =>
      Math.floor(i / columns) % 3 === 1 && random.integer(2) === 0 ? -Infinity : random.normal() * 4,
    ),
  }),
  samples: [{ params: { rows: 4, columns: 33 } }, { params: { rows: 2, columns: 1 } }],
  implementations: [...wasm],
});

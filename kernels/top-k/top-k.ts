import { defineKernel } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * The k largest numbers of each row with their columns, the largest first, of equal numbers the lower column first.
 * x [rows, columns]; values, columnOf [rows, k]; total [rows], the sum of exp(scale · (x - largest)) over the whole row. In a row in
 * which a number is NaN or Infinity, or none is above -Infinity, total is NaN and the others say nothing.
 * k is at most `columns` and 256. With scale = 1 / temperature these are enough to sample from most rows without reading them.
 * Numbers are compared as f32.
 */
export const topK = defineKernel({
  name: "top-k",
  buffers: { x: "read", values: "write", columnOf: "write u32", total: "write" },
  params: { rows: "u32", columns: "u32", k: "u32", scale: "f32" },
  sizes: ({ rows, columns, k }) => ({ x: rows * columns, values: rows * k, columnOf: rows * k, total: rows }),
  reference({ x, values, columnOf, total }, { rows, columns, k, scale }) {
    for (let row = 0; row < rows; row++) {
      const line = Float32Array.from(x.subarray(row * columns, (row + 1) * columns));
      const order = Array.from(line.keys()).sort((a, b) => line[b]! - line[a]! || a - b);
      for (let i = 0; i < k; i++) {
        columnOf[row * k + i] = order[i]!;
        values[row * k + i] = line[order[i]!]!;
      }
      let sum = 0;
      for (const value of line) sum += value === -Infinity ? 0 : Math.exp((value - line[order[0]!]!) * scale);
      if (line.some(Number.isNaN) || !(line[order[0]!]! > -Infinity)) sum = Number.NaN;
      total[row] = sum;
    }
  },
  // for the sum, of positive terms; less than one for any column below 100,000, which must be exact
  bound: () => ({ absolute: 0, relative: 1e-5 }),
  // In one row of three few distinct values, so that ties are common.
  inputs: ({ rows, columns }, random) => ({
    x: Float32Array.from({ length: rows * columns }, (_, i) =>
      Math.floor(i / columns) % 3 === 1 ? random.integer(9) - 12 : random.normal() * 4,
    ),
  }),
  samples: [
    { params: { rows: 3, columns: 261, k: 20, scale: 1.25 } },
    { params: { rows: 2, columns: 7, k: 7, scale: 1 } },
  ],
  implementations: [...wasm],
});

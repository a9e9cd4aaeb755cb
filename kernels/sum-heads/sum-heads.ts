import { defineKernel, sumBound } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * Attention summed over heads: y[row][column] = the sum over heads of pattern[row][head][column].
 * pattern [rows, heads, stride], of which the first `columns` numbers of each head count; y [rows, columns]. Cache policies and
 * studies of attention read it.
 */
export const sumHeads = defineKernel({
  name: "sum-heads",
  buffers: { pattern: "read", y: "write" },
  params: { rows: "u32", heads: "u32", columns: "u32", stride: "u32" },
  sizes: ({ rows, heads, columns, stride }) => ({ pattern: rows * heads * stride, y: rows * columns }),
  reference({ pattern, y }, { rows, heads, columns, stride }) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let sum = 0;
        for (let head = 0; head < heads; head++) sum += pattern[(row * heads + head) * stride + column]!;
        y[row * columns + column] = sum;
      }
    }
  },
  bound: ({ heads }) => sumBound(heads),
  samples: [
    { params: { rows: 3, heads: 4, columns: 21, stride: 21 } },
    { params: { rows: 2, heads: 3, columns: 5, stride: 10 } },
  ],
  implementations: [...wasm],
});

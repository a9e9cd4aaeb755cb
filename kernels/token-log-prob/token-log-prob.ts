import { rowsToChooseFrom } from "../argmax/rows.ts";
import { defineKernel } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * The log-probability of a given next token: y[row] = log softmax(logits[row])[targets[row]].
 * logits [rows, columns], targets [rows], y [rows]. So a score needs no logits on the host. NaN for a row in which a number is NaN
 * or Infinity or none is above -Infinity.
 */
export const tokenLogProb = defineKernel({
  name: "token-log-prob",
  buffers: { logits: "read", targets: "read u32", y: "write" },
  params: { rows: "u32", columns: "u32" },
  sizes: ({ rows, columns }) => ({ logits: rows * columns, targets: rows, y: rows }),
  reference({ logits, targets, y }, { rows, columns }) {
    for (let row = 0; row < rows; row++) {
      let largest = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < columns; i++) largest = Math.max(largest, logits[row * columns + i]!);
      let total = 0;
      for (let i = 0; i < columns; i++) total += Math.exp(logits[row * columns + i]! - largest);
      y[row] = logits[row * columns + targets[row]!]! - largest - Math.log(total);
    }
  },
  bound: () => ({ absolute: 1e-5, relative: 1e-5 }),
  inputs: ({ rows, columns }, random) => ({
    targets: Uint32Array.from({ length: rows }, () => random.integer(columns)),
    logits: rowsToChooseFrom(rows, columns, () => random.normal(), random),
  }),
  samples: [{ params: { rows: 9, columns: 261 } }, { params: { rows: 1, columns: 2 } }],
  implementations: [...wasm],
});

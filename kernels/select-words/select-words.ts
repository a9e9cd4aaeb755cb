import { defineKernel, exact } from "../kernel.ts";
import { gpu } from "./on-gpu.ts";
import { wasm } from "./on-wasm.ts";

/**
 * Whole numbers by their places: y[i] = x[indices[i]]. x [sourceRows], indices and y [rows]. So every row of a contrast is fed the token
 * that was chosen for all of them.
 */
export const selectWords = defineKernel({
  name: "select-words",
  buffers: { x: "read u32", indices: "read u32", y: "write u32" },
  params: { rows: "u32", sourceRows: "u32" },
  sizes: ({ rows, sourceRows }) => ({ x: sourceRows, indices: rows, y: rows }),
  reference({ x, indices, y }, { rows }) {
    for (let i = 0; i < rows; i++) y[i] = x[indices[i]!]!;
  },
  bound: () => exact,
  inputs: ({ rows, sourceRows }, random) => ({
    x: Uint32Array.from({ length: sourceRows }, () => random.integer(152_000)),
    indices: Uint32Array.from({ length: rows }, () => random.integer(sourceRows)),
  }),
  samples: [{ params: { rows: 7, sourceRows: 3 } }, { params: { rows: 1, sourceRows: 1 } }],
  implementations: [...wasm, ...gpu],
});

import { defineKernel, exact } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * Rows of a matrix by number: y[row] = x[indices[row]].
 * x [sourceRows, dim], indices [rows], y [rows, dim]. The rows whose logits are wanted go on to the head.
 */
export const selectRows = defineKernel({
  name: "select-rows",
  buffers: { x: "read", indices: "read u32", y: "write" },
  params: { rows: "u32", dim: "u32", sourceRows: "u32" },
  sizes: ({ rows, dim, sourceRows }) => ({ x: sourceRows * dim, indices: rows, y: rows * dim }),
  reference({ x, indices, y }, { rows, dim }) {
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < dim; i++) y[row * dim + i] = x[indices[row]! * dim + i]!;
    }
  },
  bound: () => exact,
  inputs: ({ rows, sourceRows }, random) => ({
    indices: Uint32Array.from({ length: rows }, () => random.integer(sourceRows)),
  }),
  samples: [{ params: { rows: 3, dim: 21, sourceRows: 5 } }, { params: { rows: 1, dim: 64, sourceRows: 1 } }],
  implementations: [...wasm],
});

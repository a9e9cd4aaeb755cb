import { defineKernel, elementwise } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * A sum: y = a + b, all [rows, dim].
 * The passes of a model add residuals inside other kernels; this one serves where a tap reads the parts.
 */
export const add = defineKernel({
  name: "add",
  buffers: { a: "read", b: "read", y: "write" },
  params: { rows: "u32", dim: "u32" },
  sizes: ({ rows, dim }) => ({ a: rows * dim, b: rows * dim, y: rows * dim }),
  reference({ a, b, y }, { rows, dim }) {
    for (let i = 0; i < rows * dim; i++) y[i] = a[i]! + b[i]!;
  },
  bound: () => elementwise,
  samples: [{ params: { rows: 3, dim: 21 } }, { params: { rows: 1, dim: 64 } }],
  implementations: [...wasm],
});

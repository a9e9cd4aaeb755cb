import { defineKernel } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * Root mean square norm (arXiv 1910.07467): y = residual + x / sqrt(mean(x²) + epsilon) · (weightOffset + weight).
 * x, residual, y [rows, dim]; weight [dim]. weightOffset is 1 for families that store the weight's distance from one (Gemma), else 0.
 */
export const rmsNorm = defineKernel({
  name: "rms-norm",
  buffers: { x: "read", weight: "read", residual: "read optional", y: "write" },
  params: { rows: "u32", dim: "u32", epsilon: "f32", weightOffset: "f32" },
  sizes: ({ rows, dim }) => ({ x: rows * dim, weight: dim, residual: rows * dim, y: rows * dim }),
  reference({ x, weight, residual, y }, { rows, dim, epsilon, weightOffset }) {
    for (let row = 0; row < rows; row++) {
      const base = row * dim;
      let squares = 0;
      for (let i = 0; i < dim; i++) squares += x[base + i]! ** 2;
      const scale = 1 / Math.sqrt(squares / dim + epsilon);
      for (let i = 0; i < dim; i++) {
        y[base + i] = (residual ? residual[base + i]! : 0) + x[base + i]! * scale * (weightOffset + weight[i]!);
      }
    }
  },
  bound: () => ({ absolute: 2e-6, relative: 1e-5 }),
  samples: [
    { params: { rows: 3, dim: 64, epsilon: 1e-5, weightOffset: 0 }, absent: ["residual"] },
    { params: { rows: 2, dim: 37, epsilon: 1e-6, weightOffset: 1 } },
  ],
  implementations: [...wasm],
});

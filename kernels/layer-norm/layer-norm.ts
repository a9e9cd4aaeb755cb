import { defineKernel } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * Layer norm (arXiv 1607.06450): y = (x - mean(x)) / sqrt(variance(x) + epsilon) · weight + bias.
 * x, y [rows, dim]; weight, bias [dim]. The variance divides by dim.
 */
export const layerNorm = defineKernel({
  name: "layer-norm",
  buffers: { x: "read", weight: "read", bias: "read optional", y: "write" },
  params: { rows: "u32", dim: "u32", epsilon: "f32" },
  sizes: ({ rows, dim }) => ({ x: rows * dim, weight: dim, bias: dim, y: rows * dim }),
  reference({ x, weight, bias, y }, { rows, dim, epsilon }) {
    for (let row = 0; row < rows; row++) {
      const base = row * dim;
      let sum = 0;
      for (let i = 0; i < dim; i++) sum += x[base + i]!;
      const mean = sum / dim;
      let squares = 0;
      for (let i = 0; i < dim; i++) squares += (x[base + i]! - mean) ** 2;
      const scale = 1 / Math.sqrt(squares / dim + epsilon);
      for (let i = 0; i < dim; i++) {
        y[base + i] = (x[base + i]! - mean) * scale * weight[i]! + (bias ? bias[i]! : 0);
      }
    }
  },
  bound: () => ({ absolute: 2e-6, relative: 1e-5 }),
  samples: [
    { params: { rows: 3, dim: 64, epsilon: 1e-5 } },
    { params: { rows: 2, dim: 37, epsilon: 1e-5 }, absent: ["bias"] },
  ],
  implementations: [...wasm],
});

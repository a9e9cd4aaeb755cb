import { defineKernel } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * A norm without its weight: y = x / sqrt(mean(x²) + epsilon), of x - mean(x) where `centered` is 1.
 * x, y [rows, dim]. `rms-norm` and `layer-norm` do this and `scale-shift` in one call; this kernel serves where a tap reads what lies
 * between.
 */
export const normalize = defineKernel({
  name: "normalize",
  buffers: { x: "read", y: "write" },
  params: { rows: "u32", dim: "u32", epsilon: "f32", centered: "u32" },
  sizes: ({ rows, dim }) => ({ x: rows * dim, y: rows * dim }),
  reference({ x, y }, { rows, dim, epsilon, centered }) {
    for (let row = 0; row < rows; row++) {
      const base = row * dim;
      let sum = 0;
      for (let i = 0; i < dim; i++) sum += x[base + i]!;
      const mean = centered === 1 ? sum / dim : 0;
      let squares = 0;
      for (let i = 0; i < dim; i++) squares += (x[base + i]! - mean) ** 2;
      const scale = 1 / Math.sqrt(squares / dim + epsilon);
      for (let i = 0; i < dim; i++) y[base + i] = (x[base + i]! - mean) * scale;
    }
  },
  bound: () => ({ absolute: 2e-6, relative: 1e-5 }),
  samples: [
    { params: { rows: 3, dim: 64, epsilon: 1e-5, centered: 0 } },
    { params: { rows: 2, dim: 37, epsilon: 1e-5, centered: 1 } },
  ],
  implementations: [...wasm],
});

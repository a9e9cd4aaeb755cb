import { defineKernel, elementwise } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * What follows `normalize` in a norm: y = x · (weightOffset + weight) + bias.
 * x, y [rows, dim]; weight, bias [dim].
 */
export const scaleShift = defineKernel({
  name: "scale-shift",
  buffers: { x: "read", weight: "read", bias: "read optional", y: "write" },
  params: { rows: "u32", dim: "u32", weightOffset: "f32" },
  sizes: ({ rows, dim }) => ({ x: rows * dim, weight: dim, bias: dim, y: rows * dim }),
  reference({ x, weight, bias, y }, { rows, dim, weightOffset }) {
    for (let place = 0; place < rows * dim; place++) {
      const i = place % dim;
      y[place] = x[place]! * (weightOffset + weight[i]!) + (bias ? bias[i]! : 0);
    }
  },
  bound: () => ({ ...elementwise, absolute: 2e-6 }),
  samples: [
    { params: { rows: 3, dim: 64, weightOffset: 1 }, absent: ["bias"] },
    { params: { rows: 2, dim: 37, weightOffset: 0 } },
  ],
  implementations: [...wasm],
});

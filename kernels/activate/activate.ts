import { ACTIVATIONS, activate as act } from "../activation.ts";
import { defineKernel } from "../kernel.ts";
import { wasm } from "./on-wasm.ts";

/**
 * An activation, times a gate where `up` is present: y = act(x) (· up).
 * x, up, y [rows, dim]; `activation` is a code of ACTIVATIONS. The passes of a model do it inside `linear` and `gated-linear`;
 * this kernel serves where a tap reads what comes before the activation.
 */
export const activate = defineKernel({
  name: "activate",
  buffers: { x: "read", up: "read optional", y: "write" },
  params: { rows: "u32", dim: "u32", activation: "u32" },
  sizes: ({ rows, dim }) => ({ x: rows * dim, up: rows * dim, y: rows * dim }),
  reference({ x, up, y }, { rows, dim, activation }) {
    for (let i = 0; i < rows * dim; i++) y[i] = act(activation, x[i]!) * (up ? up[i]! : 1);
  },
  bound: () => ({ absolute: 2e-6, relative: 1e-5 }),
  samples: [
    { params: { rows: 3, dim: 21, activation: ACTIVATIONS.silu } },
    { params: { rows: 2, dim: 33, activation: ACTIVATIONS.gelu }, absent: ["up"] },
    { params: { rows: 2, dim: 32, activation: ACTIVATIONS["gelu-tanh"] }, absent: ["up"] },
  ],
  implementations: [...wasm],
});

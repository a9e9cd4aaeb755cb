import { matrixVariants } from "../matrix/on-gpu.ts";
import epilogue from "./epilogue.wgsl?raw";
import quad from "./quad.wgsl?raw";
import plain from "./gated-linear.wgsl?raw";

/** On WebGPU: the variants of kernels/matrix, and a plain one for any shape. */
export const gpu = matrixVariants({
  name: "gated-linear",
  elements: { gate: "Packed4", up: "Packed4" },
  quad,
  epilogue,
  plain,
  quadOutputs: 2,
  fits: ({ formats }) => formats["gate"] === formats["up"],
  constants: ({ present }) => ({ HAS_GATE_BIAS: present.has("gateBias"), HAS_UP_BIAS: present.has("upBias") }),
  roundedBound: ({ inputs }, error) => ({ absolute: 2 * error * inputs!, relative: error }),
});

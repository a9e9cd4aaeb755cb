import { matrixVariants } from "../matrix/on-gpu.ts";
import epilogue from "./epilogue.wgsl?raw";
import quad from "./quad.wgsl?raw";
import plain from "./linear.wgsl?raw";

/** On WebGPU: the variants of kernels/matrix, and a plain one for any shape. */
export const gpu = matrixVariants({
  name: "linear",
  elements: { weight: "Packed4" },
  quad,
  epilogue,
  plain,
  quadOutputs: 4,
  constants: ({ present }) => ({ HAS_BIAS: present.has("bias"), HAS_RESIDUAL: present.has("residual") }),
  roundedBound: ({ inputs }, error) => ({ absolute: error * Math.sqrt(inputs!), relative: 1e-5 }),
});

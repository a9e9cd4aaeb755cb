// `kedge/kernels`: the registry and the implementations for every device. Inside kedge each device imports only its own, so that
// a page loads no shaders that it does not run.

import { gpuImplementations } from "./every-on-gpu.ts";
import { webglImplementations } from "./every-on-webgl.ts";
import type { Implementation, Kernel } from "./kernel.ts";

export * from "./index.ts";
export { gpuImplementations, webglImplementations };

/** All implementations of a kernel, for every device: those of its definition, then those for WebGPU, then those for WebGL. */
export function implementationsOf(kernel: Kernel): readonly Implementation[] {
  return [
    ...kernel.implementations,
    ...(gpuImplementations.get(kernel) ?? []),
    ...(webglImplementations.get(kernel) ?? []),
  ];
}

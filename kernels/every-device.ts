// `kedge/kernels`: the registry and the implementations for every device. Inside kedge each device imports only its own, so that
// a page loads no shaders that it does not run.

import { costOf } from "./costs.ts";
import { gpuImplementations } from "./every-on-gpu.ts";
import { webglImplementations } from "./every-on-webgl.ts";
import type { Implementation, Kernel } from "./kernel.ts";

export * from "./index.ts";
export { costOf, gpuImplementations, webglImplementations };
export type { CostOfCall } from "./costs.ts";

/**
 * Adds implementations to those of some kernels, in front. The result is for `implementations` of a device's options:
 * `openDevice("wasm", { wasm: { implementations: addImplementations([[linear, [mine]]]), modules: [bytes] } })`. A device uses an
 * implementation only where it fits and passes its known-answer test.
 */
export function addImplementations(
  added: Iterable<readonly [Kernel, readonly Implementation[]]>,
): (kernel: Kernel) => readonly Implementation[] {
  const byKernel = new Map(added);
  return (kernel) => [...(byKernel.get(kernel) ?? []), ...implementationsOf(kernel)];
}

/** All implementations of a kernel, for every device: those of its definition, then those for WebGPU, then those for WebGL. */
export function implementationsOf(kernel: Kernel): readonly Implementation[] {
  const all = [
    ...kernel.implementations,
    ...(gpuImplementations.get(kernel) ?? []),
    ...(webglImplementations.get(kernel) ?? []),
  ];
  return [...new Set(all)];
}

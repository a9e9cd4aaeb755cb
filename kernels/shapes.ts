// The test tables of all kernels: `shapes` of <kernel>/<kernel>.shapes.ts. Only tests import this file.

import { kernels, type Kernel, type Sample } from "./index.ts";

/** The shapes that a kernel is tested in, on every device. */
export interface KernelShapes {
  readonly kernel: Kernel;
  readonly shapes: readonly Sample[];
}

/** The test table of every kernel in the registry. */
export const kernelShapes: readonly KernelShapes[] = await Promise.all(
  kernels.map(async (kernel) => {
    const table = (await import(`./${kernel.name}/${kernel.name}.shapes.ts`)) as { readonly shapes: readonly Sample[] };
    return { kernel, shapes: table.shapes };
  }),
);

// The WGSL implementations of all kernels: those of first-on-gpu.ts and those of kernels that a page loads with their first use.
// `kedge/kernels` imports this file.

import { combineRows } from "./combine-rows/combine-rows.ts";
import { gpu as combineRowsOnGpu } from "./combine-rows/on-gpu.ts";
import { firstGpuImplementations } from "./first-on-gpu.ts";
import type { Kernel, WgslImplementation } from "./kernel.ts";
import { gpu as logSumExpOnGpu } from "./log-sum-exp/on-gpu.ts";
import { logSumExp } from "./log-sum-exp/log-sum-exp.ts";
import { gpu as selectWordsOnGpu } from "./select-words/on-gpu.ts";
import { selectWords } from "./select-words/select-words.ts";

/** The WGSL implementations of each kernel, best first. */
export const gpuImplementations: ReadonlyMap<Kernel, readonly WgslImplementation[]> = new Map<
  Kernel,
  readonly WgslImplementation[]
>([
  ...firstGpuImplementations,
  [combineRows, combineRowsOnGpu],
  [logSumExp, logSumExpOnGpu],
  [selectWords, selectWordsOnGpu],
]);

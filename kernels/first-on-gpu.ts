// The WGSL implementations of the kernels that every page needs. They stand apart from the kernels so that a page that computes on another
// device does not load them: `webgpu` imports this file. Kernels that a page loads with their first use have theirs in their definition.

import { activate } from "./activate/activate.ts";
import { gpu as activateOnGpu } from "./activate/on-gpu.ts";
import { add } from "./add/add.ts";
import { gpu as addOnGpu } from "./add/on-gpu.ts";
import { argmax } from "./argmax/argmax.ts";
import { gpu as argmaxOnGpu } from "./argmax/on-gpu.ts";
import { attend } from "./attend/attend.ts";
import { gpu as attendOnGpu } from "./attend/on-gpu.ts";
import { attendPattern } from "./attend-pattern/attend-pattern.ts";
import { gpu as attendPatternOnGpu } from "./attend-pattern/on-gpu.ts";
import { attendWithPattern } from "./attend-with-pattern/attend-with-pattern.ts";
import { gpu as attendWithPatternOnGpu } from "./attend-with-pattern/on-gpu.ts";
import { cacheMove } from "./cache-move/cache-move.ts";
import { gpu as cacheMoveOnGpu } from "./cache-move/on-gpu.ts";
import { embed } from "./embed/embed.ts";
import { gpu as embedOnGpu } from "./embed/on-gpu.ts";
import { gatedLinear } from "./gated-linear/gated-linear.ts";
import { gpu as gatedLinearOnGpu } from "./gated-linear/on-gpu.ts";
import { keyNorm } from "./key-norm/key-norm.ts";
import { gpu as keyNormOnGpu } from "./key-norm/on-gpu.ts";
import { layerNorm } from "./layer-norm/layer-norm.ts";
import { gpu as layerNormOnGpu } from "./layer-norm/on-gpu.ts";
import { linear } from "./linear/linear.ts";
import { gpu as linearOnGpu } from "./linear/on-gpu.ts";
import { normalize } from "./normalize/normalize.ts";
import { gpu as normalizeOnGpu } from "./normalize/on-gpu.ts";
import { rmsNorm } from "./rms-norm/rms-norm.ts";
import { gpu as rmsNormOnGpu } from "./rms-norm/on-gpu.ts";
import { rotate } from "./rotate/rotate.ts";
import { gpu as rotateOnGpu } from "./rotate/on-gpu.ts";
import { rotateStore } from "./rotate-store/rotate-store.ts";
import { gpu as rotateStoreOnGpu } from "./rotate-store/on-gpu.ts";
import { scaleShift } from "./scale-shift/scale-shift.ts";
import { gpu as scaleShiftOnGpu } from "./scale-shift/on-gpu.ts";
import { selectRows } from "./select-rows/select-rows.ts";
import { gpu as selectRowsOnGpu } from "./select-rows/on-gpu.ts";
import { softmax } from "./softmax/softmax.ts";
import { gpu as softmaxOnGpu } from "./softmax/on-gpu.ts";
import { sumHeads } from "./sum-heads/sum-heads.ts";
import { gpu as sumHeadsOnGpu } from "./sum-heads/on-gpu.ts";
import { tokenLogProb } from "./token-log-prob/token-log-prob.ts";
import { gpu as tokenLogProbOnGpu } from "./token-log-prob/on-gpu.ts";
import { topK } from "./top-k/top-k.ts";
import { gpu as topKOnGpu } from "./top-k/on-gpu.ts";
import type { Kernel, WgslImplementation } from "./kernel.ts";

/** The WGSL implementations of each of these kernels, best first. */
export const firstGpuImplementations: ReadonlyMap<Kernel, readonly WgslImplementation[]> = new Map<
  Kernel,
  readonly WgslImplementation[]
>([
  [activate, activateOnGpu],
  [add, addOnGpu],
  [argmax, argmaxOnGpu],
  [attend, attendOnGpu],
  [attendPattern, attendPatternOnGpu],
  [attendWithPattern, attendWithPatternOnGpu],
  [cacheMove, cacheMoveOnGpu],
  [embed, embedOnGpu],
  [gatedLinear, gatedLinearOnGpu],
  [keyNorm, keyNormOnGpu],
  [layerNorm, layerNormOnGpu],
  [linear, linearOnGpu],
  [normalize, normalizeOnGpu],
  [rmsNorm, rmsNormOnGpu],
  [rotate, rotateOnGpu],
  [rotateStore, rotateStoreOnGpu],
  [scaleShift, scaleShiftOnGpu],
  [selectRows, selectRowsOnGpu],
  [softmax, softmaxOnGpu],
  [sumHeads, sumHeadsOnGpu],
  [tokenLogProb, tokenLogProbOnGpu],
  [topK, topKOnGpu],
]);

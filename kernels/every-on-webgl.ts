// The WebGL implementations of all kernels that have one. They stand apart from the kernels so that a page that computes on
// another device does not load them: `webgl` and `kedge/kernels` import this file.

import { activate } from "./activate/activate.ts";
import { webgl as activateOnWebGl } from "./activate/on-webgl.ts";
import { add } from "./add/add.ts";
import { webgl as addOnWebGl } from "./add/on-webgl.ts";
import { argmax } from "./argmax/argmax.ts";
import { webgl as argmaxOnWebGl } from "./argmax/on-webgl.ts";
import { attend } from "./attend/attend.ts";
import { webgl as attendOnWebGl } from "./attend/on-webgl.ts";
import { attendPattern } from "./attend-pattern/attend-pattern.ts";
import { webgl as attendPatternOnWebGl } from "./attend-pattern/on-webgl.ts";
import { attendWithPattern } from "./attend-with-pattern/attend-with-pattern.ts";
import { webgl as attendWithPatternOnWebGl } from "./attend-with-pattern/on-webgl.ts";
import { cacheMove } from "./cache-move/cache-move.ts";
import { webgl as cacheMoveOnWebGl } from "./cache-move/on-webgl.ts";
import { embed } from "./embed/embed.ts";
import { webgl as embedOnWebGl } from "./embed/on-webgl.ts";
import { gatedLinear } from "./gated-linear/gated-linear.ts";
import { webgl as gatedLinearOnWebGl } from "./gated-linear/on-webgl.ts";
import { keyNorm } from "./key-norm/key-norm.ts";
import { webgl as keyNormOnWebGl } from "./key-norm/on-webgl.ts";
import { layerNorm } from "./layer-norm/layer-norm.ts";
import { webgl as layerNormOnWebGl } from "./layer-norm/on-webgl.ts";
import { linear } from "./linear/linear.ts";
import { webgl as linearOnWebGl } from "./linear/on-webgl.ts";
import { normalize } from "./normalize/normalize.ts";
import { webgl as normalizeOnWebGl } from "./normalize/on-webgl.ts";
import { rmsNorm } from "./rms-norm/rms-norm.ts";
import { webgl as rmsNormOnWebGl } from "./rms-norm/on-webgl.ts";
import { rotate } from "./rotate/rotate.ts";
import { webgl as rotateOnWebGl } from "./rotate/on-webgl.ts";
import { rotateStore } from "./rotate-store/rotate-store.ts";
import { webgl as rotateStoreOnWebGl } from "./rotate-store/on-webgl.ts";
import { scaleShift } from "./scale-shift/scale-shift.ts";
import { webgl as scaleShiftOnWebGl } from "./scale-shift/on-webgl.ts";
import { selectRows } from "./select-rows/select-rows.ts";
import { webgl as selectRowsOnWebGl } from "./select-rows/on-webgl.ts";
import { softmax } from "./softmax/softmax.ts";
import { webgl as softmaxOnWebGl } from "./softmax/on-webgl.ts";
import { sumHeads } from "./sum-heads/sum-heads.ts";
import { webgl as sumHeadsOnWebGl } from "./sum-heads/on-webgl.ts";
import { tokenLogProb } from "./token-log-prob/token-log-prob.ts";
import { webgl as tokenLogProbOnWebGl } from "./token-log-prob/on-webgl.ts";
import type { Kernel, WebGlImplementation } from "./kernel.ts";

/** The WebGL implementations of each kernel, best first; a kernel without any is not in the map. */
export const webglImplementations: ReadonlyMap<Kernel, readonly WebGlImplementation[]> = new Map<
  Kernel,
  readonly WebGlImplementation[]
>([
  [activate, activateOnWebGl],
  [add, addOnWebGl],
  [argmax, argmaxOnWebGl],
  [attend, attendOnWebGl],
  [attendPattern, attendPatternOnWebGl],
  [attendWithPattern, attendWithPatternOnWebGl],
  [cacheMove, cacheMoveOnWebGl],
  [embed, embedOnWebGl],
  [gatedLinear, gatedLinearOnWebGl],
  [keyNorm, keyNormOnWebGl],
  [layerNorm, layerNormOnWebGl],
  [linear, linearOnWebGl],
  [normalize, normalizeOnWebGl],
  [rmsNorm, rmsNormOnWebGl],
  [rotate, rotateOnWebGl],
  [rotateStore, rotateStoreOnWebGl],
  [scaleShift, scaleShiftOnWebGl],
  [selectRows, selectRowsOnWebGl],
  [softmax, softmaxOnWebGl],
  [sumHeads, sumHeadsOnWebGl],
  [tokenLogProb, tokenLogProbOnWebGl],
]);

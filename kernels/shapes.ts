import type { Kernel, Sample } from "./kernel.ts";
import { embed } from "./embed/embed.ts";
import { shapes as embedShapes } from "./embed/embed.shapes.ts";
import { rmsNorm } from "./rms-norm/rms-norm.ts";
import { shapes as rmsNormShapes } from "./rms-norm/rms-norm.shapes.ts";
import { layerNorm } from "./layer-norm/layer-norm.ts";
import { shapes as layerNormShapes } from "./layer-norm/layer-norm.shapes.ts";
import { linear } from "./linear/linear.ts";
import { shapes as linearShapes } from "./linear/linear.shapes.ts";
import { gatedLinear } from "./gated-linear/gated-linear.ts";
import { shapes as gatedLinearShapes } from "./gated-linear/gated-linear.shapes.ts";
import { rotateStore } from "./rotate-store/rotate-store.ts";
import { shapes as rotateStoreShapes } from "./rotate-store/rotate-store.shapes.ts";
import { attend } from "./attend/attend.ts";
import { shapes as attendShapes } from "./attend/attend.shapes.ts";
import { attendPattern } from "./attend-pattern/attend-pattern.ts";
import { shapes as attendPatternShapes } from "./attend-pattern/attend-pattern.shapes.ts";
import { attendWithPattern } from "./attend-with-pattern/attend-with-pattern.ts";
import { shapes as attendWithPatternShapes } from "./attend-with-pattern/attend-with-pattern.shapes.ts";
import { softmax } from "./softmax/softmax.ts";
import { shapes as softmaxShapes } from "./softmax/softmax.shapes.ts";
import { selectRows } from "./select-rows/select-rows.ts";
import { shapes as selectRowsShapes } from "./select-rows/select-rows.shapes.ts";
import { add } from "./add/add.ts";
import { shapes as addShapes } from "./add/add.shapes.ts";
import { activate } from "./activate/activate.ts";
import { shapes as activateShapes } from "./activate/activate.shapes.ts";
import { argmax } from "./argmax/argmax.ts";
import { shapes as argmaxShapes } from "./argmax/argmax.shapes.ts";
import { topK } from "./top-k/top-k.ts";
import { shapes as topKShapes } from "./top-k/top-k.shapes.ts";
import { tokenLogProb } from "./token-log-prob/token-log-prob.ts";
import { shapes as tokenLogProbShapes } from "./token-log-prob/token-log-prob.shapes.ts";
import { cacheMove } from "./cache-move/cache-move.ts";
import { shapes as cacheMoveShapes } from "./cache-move/cache-move.shapes.ts";

import { sumHeads } from "./sum-heads/sum-heads.ts";
import { shapes as sumHeadsShapes } from "./sum-heads/sum-heads.shapes.ts";
import { keyNorm } from "./key-norm/key-norm.ts";
import { shapes as keyNormShapes } from "./key-norm/key-norm.shapes.ts";
import { normalize } from "./normalize/normalize.ts";
import { shapes as normalizeShapes } from "./normalize/normalize.shapes.ts";
import { scaleShift } from "./scale-shift/scale-shift.ts";
import { shapes as scaleShiftShapes } from "./scale-shift/scale-shift.shapes.ts";
import { rotate } from "./rotate/rotate.ts";
import { shapes as rotateShapes } from "./rotate/rotate.shapes.ts";

/** The shapes that a kernel is tested in, on every device. */
export interface KernelShapes {
  readonly kernel: Kernel;
  readonly shapes: readonly Sample[];
}

/** The test table of every kernel. */
export const kernelShapes: readonly KernelShapes[] = [
  { kernel: embed, shapes: embedShapes },
  { kernel: rmsNorm, shapes: rmsNormShapes },
  { kernel: layerNorm, shapes: layerNormShapes },
  { kernel: linear, shapes: linearShapes },
  { kernel: gatedLinear, shapes: gatedLinearShapes },
  { kernel: rotateStore, shapes: rotateStoreShapes },
  { kernel: attend, shapes: attendShapes },
  { kernel: attendPattern, shapes: attendPatternShapes },
  { kernel: attendWithPattern, shapes: attendWithPatternShapes },
  { kernel: softmax, shapes: softmaxShapes },
  { kernel: selectRows, shapes: selectRowsShapes },
  { kernel: add, shapes: addShapes },
  { kernel: activate, shapes: activateShapes },
  { kernel: argmax, shapes: argmaxShapes },
  { kernel: topK, shapes: topKShapes },
  { kernel: tokenLogProb, shapes: tokenLogProbShapes },
  { kernel: cacheMove, shapes: cacheMoveShapes },
  { kernel: sumHeads, shapes: sumHeadsShapes },
  { kernel: keyNorm, shapes: keyNormShapes },
  { kernel: normalize, shapes: normalizeShapes },
  { kernel: scaleShift, shapes: scaleShiftShapes },
  { kernel: rotate, shapes: rotateShapes },
];

// kedge/kernels: the registry. Devices, tests, benches and docs walk `kernels`.

import { activate } from "./activate/activate.ts";
import { add } from "./add/add.ts";
import { argmax } from "./argmax/argmax.ts";
import { attend } from "./attend/attend.ts";
import { attendPattern } from "./attend-pattern/attend-pattern.ts";
import { attendWithPattern } from "./attend-with-pattern/attend-with-pattern.ts";
import { cacheMove } from "./cache-move/cache-move.ts";
import { combineRows } from "./combine-rows/combine-rows.ts";
import { embed } from "./embed/embed.ts";
import { gatedLinear } from "./gated-linear/gated-linear.ts";
import { keyNorm } from "./key-norm/key-norm.ts";
import type { Kernel } from "./kernel.ts";
import { layerNorm } from "./layer-norm/layer-norm.ts";
import { linear } from "./linear/linear.ts";
import { logSumExp } from "./log-sum-exp/log-sum-exp.ts";
import { normalize } from "./normalize/normalize.ts";
import { rmsNorm } from "./rms-norm/rms-norm.ts";
import { rotate } from "./rotate/rotate.ts";
import { rotateStore } from "./rotate-store/rotate-store.ts";
import { scaleShift } from "./scale-shift/scale-shift.ts";
import { selectRows } from "./select-rows/select-rows.ts";
import { selectWords } from "./select-words/select-words.ts";
import { softmax } from "./softmax/softmax.ts";
import { sumHeads } from "./sum-heads/sum-heads.ts";
import { topK } from "./top-k/top-k.ts";
import { tokenLogProb } from "./token-log-prob/token-log-prob.ts";

/** Every kernel of a decoder. */
export const kernels: readonly Kernel[] = [
  embed,
  rmsNorm,
  layerNorm,
  linear,
  gatedLinear,
  rotateStore,
  attend,
  attendPattern,
  attendWithPattern,
  softmax,
  selectRows,
  add,
  activate,
  argmax,
  topK,
  tokenLogProb,
  logSumExp,
  combineRows,
  selectWords,
  cacheMove,
  sumHeads,
  keyNorm,
  normalize,
  scaleShift,
  rotate,
];

export {
  activate,
  add,
  argmax,
  attend,
  attendPattern,
  attendWithPattern,
  cacheMove,
  combineRows,
  embed,
  gatedLinear,
  keyNorm,
  layerNorm,
  linear,
  logSumExp,
  normalize,
  rmsNorm,
  rotate,
  rotateStore,
  scaleShift,
  selectRows,
  selectWords,
  softmax,
  sumHeads,
  tokenLogProb,
  topK,
};
export { ACTIVATIONS, activate as activation, erf, type ActivationName } from "./activation.ts";
export type { Cost, CostSetting } from "./cost.ts";
export { multiplyAdd, readThrough } from "./peak/peak.ts";
export { COMBINED_WORDS, COMBINING_RULES } from "./combine-rows/combine-rows.ts";
export { PATTERN_KINDS } from "./attend-pattern/attend-pattern.ts";
export { DENSE, isVisible, type VisibilityParams } from "./attend/visible.ts";
export {
  boundOf,
  defineKernel,
  type Bound,
  type BufferUse,
  type Floats,
  type Implementation,
  type Inputs,
  type Kernel,
  type ParamType,
  type Random,
  type Sample,
  type Setting,
  type TypedKernel,
  type WasmImplementation,
  type SecondPass,
  type WebGlFunction,
  type WebGlImplementation,
  type WebGlPass,
  type WebGlPlan,
  type WebGlRegion,
  type WgslImplementation,
} from "./kernel.ts";
export {
  cacheFormats,
  headWords,
  packHeads,
  slotBytes,
  unpackHeads,
  type CacheFormat,
  type CachePacking,
} from "./cache/cache.ts";
export { f16ToF32 } from "./matrix/float16.ts";
export { GROUP_COLUMNS, isQuantized, roundToFormat, type QuantizedFormat } from "./matrix/quantize.ts";
export { decodeQuantizedRows, planesOf, quantizeRows, type Planes } from "./matrix/quantized-rows.ts";
export { packCall, quantizeRowsCall, STORED_CODES, wordsOf } from "./matrix/packing-calls.ts";
export {
  bytesPerWeight,
  decodeWeights,
  matrixByteLength,
  packRows,
  paddedColumns,
  storedByteLength,
  type MatrixFormat,
  type MatrixLayout,
  type MatrixShape,
  type StoredFormat,
} from "./matrix/matrix.ts";
export {
  compare,
  errorOf,
  makeTrial,
  POISON,
  seededRandom,
  SLACK,
  type Trial,
  type TrialError,
  type TrialMatrix,
  type Violation,
} from "./trial.ts";

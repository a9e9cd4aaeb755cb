// Shaders that plain decoding on a hardware GPU does not run: those of taps, of statistics of attention, of contrasts, of parts that fusing makes
// needless, and variants that are used only where they were measured to be fast. A page on `webgpu` loads them together, with the
// first program that needs one.

export { default as activate } from "./activate/activate.wgsl?raw";
export { default as add } from "./add/add.wgsl?raw";
export { default as attendPattern } from "./attend-pattern/attend-pattern.wgsl?raw";
export { default as attendWithPattern } from "./attend-with-pattern/attend-with-pattern.wgsl?raw";
export { default as combineRows } from "./combine-rows/combine-rows.wgsl?raw";
export { default as keyNorm } from "./key-norm/key-norm.wgsl?raw";
export { default as logSumExp } from "./log-sum-exp/log-sum-exp.wgsl?raw";
export { rowDots, rowWhole, wholePreludes } from "./matrix/webgpu/formats/row-shaders.ts";
export { default as normalize } from "./normalize/normalize.wgsl?raw";
export { default as rotate } from "./rotate/rotate.wgsl?raw";
export { default as scaleShift } from "./scale-shift/scale-shift.wgsl?raw";
export { default as selectWords } from "./select-words/select-words.wgsl?raw";
export { default as softmax } from "./softmax/softmax.wgsl?raw";
export { default as softmaxSubgroups } from "./softmax/softmax.subgroups.wgsl?raw";
export { default as sumHeads } from "./sum-heads/sum-heads.wgsl?raw";

// `kedge/timing`: how long kernels take, what a device can do at most, and which variants were measured to be the fastest.

export { measurePeak, type Peak, type PeakOptions } from "./timing/peak.ts";
export type { Clock } from "./timing/repeated-calls.ts";
export { spreadOf, type Spread } from "./timing/spread.ts";
export { STREAM_BYTES, timeKernel, type KernelTiming, type TimeKernelOptions } from "./timing/time-kernel.ts";
export type { ChoiceRecord, KernelChoice } from "./tuning/kept-choices.ts";
export {
  forgetKernelChoices,
  keptKernelChoices,
  recallKernelChoices,
  type KeptChoices,
  type TuneMode,
} from "./tuning/measured.ts";
export type { KernelTuning, TuneKernelsOptions } from "./tuning/tune-kernels.ts";

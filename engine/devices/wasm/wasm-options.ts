// What a caller can ask of the wasm device.

import type { Implementation, Kernel } from "../../../kernels/index.ts";

/** Settings of the wasm device. */
export interface WasmOptions {
  /** threads that compute, at least 1; by default as many as help (see defaultThreads). 1 where memory cannot be shared */
  readonly threads?: number;
  /** the same results on every machine: plain SIMD, fixed order of summation */
  readonly deterministic?: boolean;
  /** bytes of linear memory at most; 4 GiB less a page is the limit of WebAssembly */
  readonly maxMemoryBytes?: number;
  /** false: one thread with a memory of its own, as on a page that is not cross-origin isolated */
  readonly shareMemory?: boolean;
  /** which implementations of a kernel to consider, best first; the kernel's own by default */
  readonly implementations?: (kernel: Kernel) => readonly Implementation[];
  /** modules of somebody else's with functions for `wasm` implementations; see `compileForeign` for what they may be */
  readonly modules?: readonly Uint8Array[];
}

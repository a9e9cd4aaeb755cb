// What a caller can ask of the wasm device.

import type { Implementation, Kernel } from "../../../kernels/index.ts";

/** Settings of the wasm device. */
export interface WasmOptions {
  /** threads that compute, at least 1; by default as many as help (see defaultThreads). 1 where memory cannot be shared */
  readonly threads?: number | undefined;
  /** the same results on every machine: plain SIMD, fixed order of summation */
  readonly deterministic?: boolean | undefined;
  /** bytes of all linear memories together at most; no limit by default */
  readonly maxMemoryBytes?: number | undefined;
  /**
   * Bytes of one linear memory at most: what finds no room in one goes to another. 4 GiB less a page, WebAssembly's limit, by
   * default; less for an engine that refuses to grow a memory so far, as some on phones do.
   */
  readonly linearMemoryBytes?: number | undefined;
  /** false: one thread with a memory of its own, as on a page that is not cross-origin isolated */
  readonly shareMemory?: boolean | undefined;
  /** which implementations of a kernel to consider, best first; the kernel's own by default */
  readonly implementations?: ((kernel: Kernel) => readonly Implementation[]) | undefined;
  /**
   * WebAssembly modules of the caller's, with functions for `wasm` implementations by the conventions of kernels/kernel.ts. A module
   * imports `env.memory` (shared, of at most 65536 pages, where the device's is) and nothing else but `env.abort`, and has no data
   * segments: the memory is the device's. Opening the device throws a DeviceError for others.
   */
  readonly modules?: readonly Uint8Array[] | undefined;
}

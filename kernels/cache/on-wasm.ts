// The wasm implementations of kernels that read or write caches: one function per format.

import type { WasmImplementation } from "../kernel.ts";
import { cacheFormats, type CacheFormat } from "./cache.ts";

const suffixes = { f32: "F32", f16: "F16", int8: "Int8" } as const satisfies Record<CacheFormat, string>;

/** One implementation per format: `attend.int8` is the exported function `attendInt8`. */
export function perCacheFormat(
  name: string,
  wasm: string,
  rest: Omit<WasmImplementation, "name" | "wasm" | "requires" | "formats"> = {},
): readonly WasmImplementation[] {
  return cacheFormats.map((format) => ({
    name: `${name}.${format}`,
    wasm: wasm + suffixes[format],
    requires: [],
    formats: [format],
    ...rest,
  }));
}

// The wasm implementations of kernels that read matrices: one function per format.

import type { WasmImplementation } from "../kernel.ts";
import type { StoredFormat } from "./matrix.ts";

const suffixes = { f32: "F32", f16: "F16", bf16: "Bf16" } as const satisfies Record<StoredFormat, string>;

/** One implementation per format: `linear.plain.bf16` is the exported function `linearPlainBf16`. */
export function perFormat(
  name: string,
  wasm: string,
  rest: Omit<WasmImplementation, "name" | "wasm" | "requires" | "formats"> = {},
): readonly WasmImplementation[] {
  return (["f32", "f16", "bf16"] as const).map((format) => ({
    name: `${name}.${format}`,
    wasm: wasm + suffixes[format],
    requires: [],
    formats: [format],
    ...rest,
  }));
}

/** Few rows, many rows, and the plain one that remains where those are found wrong. */
export function fewManyPlain(name: string, wasm: string): readonly WasmImplementation[] {
  return [
    ...perFormat(`${name}.few-rows`, `${wasm}FewRows`, { rows: { max: 4 } }),
    ...perFormat(`${name}.many-rows`, `${wasm}ManyRows`, { rows: { min: 5 } }),
    ...perFormat(`${name}.plain`, `${wasm}Plain`),
  ];
}

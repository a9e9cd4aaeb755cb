import type { WasmImplementation } from "../kernel.ts";
import { fewManyPlain } from "../matrix/on-wasm.ts";

/** On wasm: decoding, prefill, and the plain one that remains where those are found wrong. */
export const wasm: readonly WasmImplementation[] = fewManyPlain("gated-linear", "gatedLinear", ({ inputs }) => ({
  absolute: 2.4e-4 * inputs!,
  relative: 1e-4,
}));

import type { WasmImplementation } from "../kernel.ts";
import { fewManyPlain } from "../matrix/on-wasm.ts";

/** On wasm: decoding, prefill, and the plain one that remains where those are found wrong. */
export const wasm: readonly WasmImplementation[] = fewManyPlain("linear", "linear", ({ inputs }) => ({
  absolute: 1.2e-4 * Math.sqrt(inputs!),
  relative: 1e-5,
}));

import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from argmax.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "argmax", wasm: "argmax", requires: [] }];

import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from activate.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "activate", wasm: "activate", requires: [] }];

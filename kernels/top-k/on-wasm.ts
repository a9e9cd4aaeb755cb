import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from top-k.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "top-k", wasm: "topK", requires: [] }];

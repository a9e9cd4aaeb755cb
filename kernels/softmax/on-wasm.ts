import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from softmax.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "softmax", wasm: "softmax", requires: [] }];

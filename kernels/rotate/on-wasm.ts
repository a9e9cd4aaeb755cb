import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from rotate.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "rotate", wasm: "rotate", requires: [] }];

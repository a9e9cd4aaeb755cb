import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from add.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "add", wasm: "add", requires: [] }];

import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from select-words.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "select-words", wasm: "selectWords", requires: [] }];

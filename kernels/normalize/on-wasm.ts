import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from normalize.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "normalize", wasm: "normalize", requires: [] }];

import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from select-rows.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "select-rows", wasm: "selectRows", requires: [] }];

import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from combine-rows.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "combine-rows", wasm: "combineRows", requires: [] }];

import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from sum-heads.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "sum-heads", wasm: "sumHeads", requires: [] }];

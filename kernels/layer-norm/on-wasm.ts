import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from layer-norm.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "layer-norm", wasm: "layerNorm", requires: [] }];

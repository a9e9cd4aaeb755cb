import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from cache-move.as.ts. */
export const wasm: readonly WasmImplementation[] = [
  { name: "cache-move", wasm: "cacheMove", requires: [], formats: ["f32"] },
];

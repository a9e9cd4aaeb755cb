import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from key-norm.as.ts. */
export const wasm: readonly WasmImplementation[] = [
  { name: "key-norm", wasm: "keyNorm", requires: [], formats: ["f32"] },
];

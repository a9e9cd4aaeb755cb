import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from rotate-store.as.ts. */
export const wasm: readonly WasmImplementation[] = [
  { name: "rotate-store", wasm: "rotateStore", requires: [], formats: ["f32"] },
];

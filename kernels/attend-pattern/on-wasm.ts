import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from attend-pattern.as.ts. */
export const wasm: readonly WasmImplementation[] = [
  { name: "attend-pattern", wasm: "attendPattern", requires: [], formats: ["f32"] },
];

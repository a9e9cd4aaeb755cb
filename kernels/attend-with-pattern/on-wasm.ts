import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from attend-with-pattern.as.ts. */
export const wasm: readonly WasmImplementation[] = [
  { name: "attend-with-pattern", wasm: "attendWithPattern", requires: [], formats: ["f32"] },
];

import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from scale-shift.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "scale-shift", wasm: "scaleShift", requires: [] }];

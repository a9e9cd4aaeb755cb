import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from rms-norm.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "rms-norm", wasm: "rmsNorm", requires: [] }];

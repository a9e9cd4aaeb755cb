import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from log-sum-exp.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "log-sum-exp", wasm: "logSumExp", requires: [] }];

import type { WasmImplementation } from "../kernel.ts";

/** On wasm, from token-log-prob.as.ts. */
export const wasm: readonly WasmImplementation[] = [{ name: "token-log-prob", wasm: "tokenLogProb", requires: [] }];

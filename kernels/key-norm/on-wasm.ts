import type { WasmImplementation } from "../kernel.ts";

export const wasm: readonly WasmImplementation[] = [];

import type { WasmImplementation } from "../kernel.ts";
import { perFormat } from "../matrix/on-wasm.ts";

/** On wasm, from embed.as.ts. */
export const wasm: readonly WasmImplementation[] = perFormat("embed", "embed");

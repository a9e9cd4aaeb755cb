import { perCacheFormat } from "../cache/on-wasm.ts";

/** On wasm, from key-norm.as.ts, for each format. */
export const wasm = perCacheFormat("key-norm", "keyNorm");

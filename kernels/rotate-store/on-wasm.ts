import { perCacheFormat } from "../cache/on-wasm.ts";

/** On wasm, from rotate-store.as.ts, for each format. */
export const wasm = perCacheFormat("rotate-store", "rotateStore");

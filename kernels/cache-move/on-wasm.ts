import { perCacheFormat } from "../cache/on-wasm.ts";

/** On wasm, from cache-move.as.ts, for each format. */
export const wasm = perCacheFormat("cache-move", "cacheMove");

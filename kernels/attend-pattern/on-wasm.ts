import { perCacheFormat } from "../cache/on-wasm.ts";

/** On wasm, from attend-pattern.as.ts, for each format. */
export const wasm = perCacheFormat("attend-pattern", "attendPattern");

import { perCacheFormat } from "../cache/on-wasm.ts";

/** On wasm, from attend-with-pattern.as.ts, for each format. */
export const wasm = perCacheFormat("attend-with-pattern", "attendWithPattern");

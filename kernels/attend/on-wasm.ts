import { perCacheFormat } from "../cache/on-wasm.ts";
import type { Setting, WasmImplementation } from "../kernel.ts";

/** Heads of whole vectors, of which a few fit the room for expanded keys and values. */
const fits = ({ params }: Setting): boolean => params["headDim"]! % 4 === 0 && params["headDim"]! <= MAX_HEAD_DIM;
const MAX_HEAD_DIM = 512;

/** On wasm, for each format: the blocked one where heads are whole vectors, the plain one elsewhere. */
export const wasm: readonly WasmImplementation[] = [
  ...perCacheFormat("attend", "attend", { fits }),
  ...perCacheFormat("attend.plain", "attendPlain"),
];

import type { WasmImplementation } from "../kernel.ts";

/** On wasm: the blocked one where heads are whole vectors, the plain one elsewhere. */
export const wasm: readonly WasmImplementation[] = [
  {
    name: "attend",
    wasm: "attend",
    requires: [],
    formats: ["f32"],
    fits: ({ params }) => params["headDim"]! % 4 === 0,
  },
  { name: "attend.plain", wasm: "attendPlain", requires: [], formats: ["f32"] },
];

import type { Setting, WebGlImplementation } from "../kernel.ts";
import { isWhole, quotientFunction, slotRuns, TEXEL } from "../webgl-functions.ts";
import source from "./rotate-store.gl.js?raw";

const functions = [quotientFunction];

/** What rotate-store.gl.js needs to know of a call. */
export function headConstants({ params, present }: Pick<Setting, "params" | "present">) {
  return {
    headTexels: params["headDim"]! / TEXEL,
    isQueryNormed: Number(present.has("qNorm")),
    isKeyNormed: Number(present.has("kNorm")),
  };
}

/** The same pass for q and, one drawing for each run of slots, for keys and values. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "rotate-store.webgl",
    requires: [],
    formats: ["f32"],
    fits: ({ params }) => isWhole(params["headDim"]),
    constants: headConstants,
    plan: ({ rows, list, kvHeads, headDim }, words) => {
      const slots = words("slots").subarray(list! * rows!, (list! + 1) * rows!);
      return { regions: { cache: slotRuns([...slots], 2 * kvHeads! * headDim!) } };
    },
    webgl: [
      {
        writes: "q",
        source,
        functions,
        constants: () => ({ firstHead: 0 }),
        line: ({ heads, headDim }) => (heads! * headDim!) / TEXEL,
      },
      {
        writes: "cache",
        source,
        functions,
        constants: ({ params }) => ({ firstHead: params["heads"]! }),
        line: ({ kvHeads, headDim }) => (2 * kvHeads! * headDim!) / TEXEL,
      },
    ],
  },
];

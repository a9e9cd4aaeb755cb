import type { WebGlImplementation } from "../kernel.ts";
import { isWhole, quotientFunction, slotRuns, TEXEL } from "../webgl-functions.ts";
import source from "./rotate-store.gl.js?raw";

const functions = [quotientFunction];

/** The same pass for q and, one drawing for each run of slots, for keys and values. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "rotate-store.webgl",
    requires: [],
    formats: ["f32"],
    fits: ({ params }) => isWhole(params["headDim"]),
    constants: ({ params }) => ({ headTexels: params["headDim"]! / TEXEL }),
    plan: ({ rows, list, kvHeads, headDim }, words) => {
      const slots = words("slots").subarray(list! * rows!, (list! + 1) * rows!);
      return { regions: { cache: slotRuns([...slots], 2 * kvHeads! * headDim!) } };
    },
    webgl: [
      {
        writes: "q",
        source,
        functions,
        constants: ({ present }) => ({ firstHead: 0, isNormed: Number(present.has("qNorm")) }),
        line: ({ heads, headDim }) => (heads! * headDim!) / TEXEL,
      },
      {
        writes: "cache",
        source,
        functions,
        constants: ({ params, present }) => ({ firstHead: params["heads"]!, isNormed: Number(present.has("kNorm")) }),
        line: ({ kvHeads, headDim }) => (2 * kvHeads! * headDim!) / TEXEL,
      },
    ],
  },
];

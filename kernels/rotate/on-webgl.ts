import type { WebGlImplementation } from "../kernel.ts";
import { headConstants } from "../rotate-store/on-webgl.ts";
import source from "../rotate-store/rotate-store.gl.js?raw";
import { isWhole, quotientFunction, TEXEL } from "../webgl-functions.ts";

/** The pass of `rotate-store` over all heads of a row. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "rotate.webgl",
    requires: [],
    fits: ({ params }) => isWhole(params["headDim"]),
    constants: (setting) => ({ ...headConstants(setting), firstHead: 0 }),
    webgl: [
      {
        writes: "y",
        source,
        functions: [quotientFunction],
        line: ({ heads, kvHeads, headDim }) => ((heads! + 2 * kvHeads!) * headDim!) / TEXEL,
      },
    ],
  },
];

import { fitsScores, scoreConstants } from "../attend/webgl/scores.ts";
import type { WebGlImplementation } from "../kernel.ts";
import { quotientFunction, TEXEL } from "../webgl-functions.ts";
import source from "./attend-with-pattern.gl.js?raw";

/** Four dimensions of z a thread. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "attend-with-pattern.webgl",
    requires: [],
    formats: ["f32"],
    fits: fitsScores,
    constants: scoreConstants,
    webgl: [
      {
        writes: "z",
        source,
        functions: [quotientFunction],
        line: ({ heads, headDim }) => (heads! * headDim!) / TEXEL,
        numbered: ["pattern"],
      },
    ],
  },
];

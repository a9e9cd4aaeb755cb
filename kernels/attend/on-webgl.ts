import type { WebGlImplementation } from "../kernel.ts";
import { quotientFunction, TEXEL } from "../webgl-functions.ts";
import source from "./webgl/attend.gl.js?raw";
import { fitsScores, SCORE_NUMBERS, scoreConstants, scorePass, scorePlan } from "./webgl/scores.ts";

/** Scores first, four keys a thread; then four dimensions of z a thread, with the softmax taken on the way. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "attend.webgl",
    requires: [],
    formats: ["f32"],
    fits: fitsScores,
    constants: scoreConstants,
    numbers: SCORE_NUMBERS,
    plan: scorePlan,
    webgl: [
      scorePass,
      {
        writes: "z",
        source,
        functions: [quotientFunction],
        line: ({ heads, headDim }) => (heads! * headDim!) / TEXEL,
      },
    ],
  },
];

import { fitsScores, SCORE_NUMBERS, scoreConstants, scorePass, scorePlan } from "../attend/webgl/scores.ts";
import type { WebGlImplementation } from "../kernel.ts";
import { quotientFunction } from "../webgl-functions.ts";
import source from "./attend-pattern.gl.js?raw";
import sums from "./attend-pattern.sums.gl.js?raw";

/** The scores of `attend`, the sum of each line, then four numbers a thread. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "attend-pattern.webgl",
    requires: [],
    formats: ["f32"],
    fits: fitsScores,
    constants: scoreConstants,
    numbers: { ...SCORE_NUMBERS, hidden: "Float" },
    plan: (params, words, present) => {
      const { numbers, temporaries } = scorePlan(params, words, present);
      return {
        numbers: { ...numbers, hidden: Number.NEGATIVE_INFINITY },
        temporaries: { ...temporaries, sums: params["rows"]! * params["heads"]! },
      };
    },
    webgl: [
      scorePass,
      { writes: "sums", source: sums, line: () => 1 },
      { writes: "pattern", source, functions: [quotientFunction], numbered: ["pattern"] },
    ],
  },
];

import type { WebGlImplementation } from "../kernel.ts";
import { matrixTexels, outputPlan, webglFormats } from "../matrix/on-webgl.ts";
import { activationFunction, isWhole, TEXEL } from "../webgl-functions.ts";
import source from "./gated-linear.gl.js?raw";

/** Four outputs a thread. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "gated-linear.webgl",
    requires: [],
    formats: webglFormats,
    fits: ({ params }) => isWhole(params["inputs"], params["outputs"], params["outputBegin"], params["outputStride"]),
    constants: ({ params, present }) => ({
      inputTexels: params["inputs"]! / TEXEL,
      weightTexels: matrixTexels(params["inputs"]!),
      hasGateBias: Number(present.has("gateBias")),
      hasUpBias: Number(present.has("upBias")),
    }),
    plan: outputPlan,
    webgl: [
      {
        writes: "y",
        source,
        functions: [activationFunction],
        line: ({ outputStride }) => outputStride! / TEXEL,
      },
    ],
  },
];

import type { Setting, WebGlImplementation } from "../kernel.ts";
import { matrixTexels, outputPlan, webglFormats } from "../matrix/on-webgl.ts";
import {
  activationFunction,
  finishFunction,
  isWhole,
  quotientFunction,
  softcappedFunction,
  TEXEL,
} from "../webgl-functions.ts";
import any from "./linear.any.gl.js?raw";
import source from "./linear.gl.js?raw";

const constants = ({ params, present }: Setting) => ({
  inputTexels: params["inputs"]! / TEXEL,
  weightTexels: matrixTexels(params["inputs"]!),
  lineTexels: params["outputStride"]! / TEXEL,
  hasBias: Number(present.has("bias")),
  hasResidual: Number(present.has("residual")),
});
const functions = [activationFunction, softcappedFunction, finishFunction];

/** Four outputs a thread where rows are whole texels, and a plain variant for any count of outputs. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "linear.webgl",
    requires: [],
    formats: webglFormats,
    fits: ({ params }) => isWhole(params["inputs"], params["outputs"], params["outputBegin"], params["outputStride"]),
    constants,
    plan: outputPlan,
    webgl: [{ writes: "y", source, functions, line: ({ outputStride }) => outputStride! / TEXEL }],
  },
  {
    name: "linear.any.webgl",
    requires: [],
    formats: webglFormats,
    fits: ({ params }) => isWhole(params["inputs"]),
    constants,
    plan: outputPlan,
    webgl: [{ writes: "y", source: any, functions: [...functions, quotientFunction], numbered: ["y"] }],
  },
];

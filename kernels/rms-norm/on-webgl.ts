import type { WebGlImplementation } from "../kernel.ts";
import { isWhole, TEXEL } from "../webgl-functions.ts";
import source from "./rms-norm.gl.js?raw";

/** A thread a texel. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "rms-norm.webgl",
    requires: [],
    fits: ({ params }) => isWhole(params["dim"]),
    constants: ({ params, present }) => ({
      texels: params["dim"]! / TEXEL,
      hasResidual: Number(present.has("residual")),
    }),
    webgl: [{ writes: "y", source, line: ({ dim }) => dim! / TEXEL }],
  },
];

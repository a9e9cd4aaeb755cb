import type { WebGlImplementation } from "../kernel.ts";
import { isWhole, TEXEL } from "../webgl-functions.ts";
import source from "./scale-shift.gl.js?raw";

/** A thread a texel. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "scale-shift.webgl",
    requires: [],
    fits: ({ params }) => isWhole(params["dim"]),
    constants: ({ params, present }) => ({ texels: params["dim"]! / TEXEL, hasBias: Number(present.has("bias")) }),
    webgl: [{ writes: "y", source, line: ({ dim }) => dim! / TEXEL }],
  },
];

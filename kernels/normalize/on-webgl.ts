import type { WebGlImplementation } from "../kernel.ts";
import { isWhole, TEXEL } from "../webgl-functions.ts";
import source from "./normalize.gl.js?raw";

/** A thread a texel. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "normalize.webgl",
    requires: [],
    fits: ({ params }) => isWhole(params["dim"]),
    constants: ({ params }) => ({ texels: params["dim"]! / TEXEL }),
    webgl: [{ writes: "y", source, line: ({ dim }) => dim! / TEXEL }],
  },
];

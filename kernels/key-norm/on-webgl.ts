import type { WebGlImplementation } from "../kernel.ts";
import { isWhole, TEXEL } from "../webgl-functions.ts";
import source from "./key-norm.gl.js?raw";

/** A thread for four rows. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "key-norm.webgl",
    requires: [],
    formats: ["f32"],
    fits: ({ params }) => isWhole(params["headDim"]),
    constants: ({ params }) => ({ headTexels: params["headDim"]! / TEXEL }),
    webgl: [{ writes: "y", source }],
  },
];

import type { WebGlImplementation } from "../kernel.ts";
import { activationFunction } from "../webgl-functions.ts";
import source from "./activate.gl.js?raw";

/** A thread a texel. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "activate.webgl",
    requires: [],
    constants: ({ present }) => ({ hasUp: Number(present.has("up")) }),
    webgl: [{ writes: "y", source, functions: [activationFunction] }],
  },
];

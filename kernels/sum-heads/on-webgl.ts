import type { WebGlImplementation } from "../kernel.ts";
import { quotientFunction } from "../webgl-functions.ts";
import source from "./sum-heads.gl.js?raw";

/** A thread for four numbers. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "sum-heads.webgl",
    requires: [],
    webgl: [{ writes: "y", source, functions: [quotientFunction], numbered: ["pattern"] }],
  },
];

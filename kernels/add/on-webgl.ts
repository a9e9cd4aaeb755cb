import type { WebGlImplementation } from "../kernel.ts";
import source from "./add.gl.js?raw";

/** A thread a texel. */
export const webgl: readonly WebGlImplementation[] = [
  { name: "add.webgl", requires: [], webgl: [{ writes: "y", source }] },
];

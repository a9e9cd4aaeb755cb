import type { WebGlImplementation } from "../kernel.ts";
import { quotientFunction } from "../webgl-functions.ts";
import sums from "./softmax.sums.gl.js?raw";
import source from "./softmax.gl.js?raw";

/** A thread a row finds its sum, then a thread a texel. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "softmax.webgl",
    requires: [],
    numbers: { none: "Float" },
    plan: ({ rows }) => ({ numbers: { none: Number.NaN }, temporaries: { sums: rows! } }),
    webgl: [
      { writes: "sums", source: sums, line: () => 1, numbered: ["x"] },
      { writes: "y", source, functions: [quotientFunction], numbered: ["x"] },
    ],
  },
];

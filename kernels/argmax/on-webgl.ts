import type { WebGlImplementation } from "../kernel.ts";
import { partsOf } from "../webgl-functions.ts";
import source from "./argmax.gl.js?raw";
import parts from "./argmax.parts.gl.js?raw";

/** Threads for parts of a row, then one for all parts. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "argmax.webgl",
    requires: [],
    constants: ({ params }) => partsOf(params["columns"]!),
    plan: ({ rows, columns }) => ({
      numbers: { partCount: partsOf(columns!).partCount },
      temporaries: { parts: rows! * partsOf(columns!).partCount },
    }),
    webgl: [
      { writes: "parts", source: parts, line: ({ partCount }) => partCount!, numbered: ["x"] },
      { writes: "best", source },
    ],
  },
];

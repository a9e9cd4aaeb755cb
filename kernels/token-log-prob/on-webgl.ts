import type { WebGlImplementation } from "../kernel.ts";
import { partsOf } from "../webgl-functions.ts";
import source from "./token-log-prob.gl.js?raw";
import parts from "./token-log-prob.parts.gl.js?raw";

/** Threads for parts of a row, then one for all parts. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "token-log-prob.webgl",
    requires: [],
    constants: ({ params }) => partsOf(params["columns"]!),
    numbers: { none: "Float" },
    plan: ({ rows, columns }) => ({
      numbers: { partCount: partsOf(columns!).partCount, none: Number.NaN },
      temporaries: { parts: rows! * partsOf(columns!).partCount },
    }),
    webgl: [
      { writes: "parts", source: parts, line: ({ partCount }) => partCount!, numbered: ["logits"] },
      { writes: "y", source, numbered: ["logits"] },
    ],
  },
];

import type { WebGlImplementation } from "../kernel.ts";
import { isWhole, slotRuns, TEXEL } from "../webgl-functions.ts";
import put from "./cache-move.put.gl.js?raw";
import take from "./cache-move.take.gl.js?raw";

/** Numbers in a slot. */
function slotLength({ kvHeads, headDim }: Readonly<Record<string, number>>): number {
  return 2 * kvHeads! * headDim!;
}

/** All moved slots to a texture of their own, and from there one drawing for each run of slots. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "cache-move.webgl",
    requires: [],
    formats: ["f32"],
    fits: ({ params }) => isWhole(slotLength(params)),
    constants: ({ params }) => ({ slotTexels: slotLength(params) / TEXEL }),
    plan: (params, words) => {
      const rows = params["rows"]!;
      const moves = words("moves");
      const targets = Array.from({ length: rows }, (_, row) => moves[row * 2 + 1]!);
      return {
        temporaries: { moved: (rows * slotLength(params)) / TEXEL },
        regions: { cache: slotRuns(targets, slotLength(params)) },
      };
    },
    webgl: [
      { writes: "moved", source: take, line: (params) => slotLength(params) / TEXEL },
      { writes: "cache", source: put, line: (params) => slotLength(params) / TEXEL },
    ],
  },
];

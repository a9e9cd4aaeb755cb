import type { WebGlImplementation, WebGlRegion } from "../kernel.ts";
import { matrixTexels, webglFormats } from "../matrix/on-webgl.ts";
import { isWhole, TEXEL } from "../webgl-functions.ts";
import source from "./embed.gl.js?raw";

/** A thread a texel of the rows whose tokens the table's piece holds. */
export const webgl: readonly WebGlImplementation[] = [
  {
    name: "embed.webgl",
    requires: [],
    formats: webglFormats,
    fits: ({ params }) => isWhole(params["dim"]),
    constants: ({ params, present }) => ({
      texels: params["dim"]! / TEXEL,
      tableTexels: matrixTexels(params["dim"]!),
      hasPositions: Number(present.has("positionTable")),
    }),
    numbers: { none: "Float" },
    plan: ({ rows, dim, vocabSize, tableBegin, tableEnd }, words) => {
      const numbers = { none: Number.NaN };
      if (tableBegin === 0 && tableEnd! >= vocabSize!) return { numbers };
      const tokens = words("tokens");
      const isHere = (row: number) => {
        const token = tokens[row]!;
        return token >= vocabSize! ? tableBegin === 0 : token >= tableBegin! && token < tableEnd!;
      };
      const regions: WebGlRegion[] = [];
      for (let row = 0; row < rows!; row++) {
        if (isHere(row)) regions.push({ begin: row * dim!, end: (row + 1) * dim! });
      }
      return { numbers, regions: { y: regions } };
    },
    webgl: [{ writes: "y", source, line: ({ dim }) => dim! / TEXEL }],
  },
];

// The first pass of attention on WebGL: the scores of each row in a texture, [rows · heads, columnTexels] texels, twice as long with
// a second key source. attend and attend-pattern both continue from there.

import type { Setting, WebGlImplementation, WebGlPass } from "../../kernel.ts";
import { isWhole, quotientFunction, TEXEL, softcappedFunction, visibleFunction } from "../../webgl-functions.ts";
import source from "./scores.gl.js?raw";

type Plan = NonNullable<WebGlImplementation["plan"]>;

/** True for heads of whole texels. */
export function fitsScores({ params }: Setting): boolean {
  return isWhole(params["headDim"]);
}

/** Constants of the passes of attention. */
export function scoreConstants({ params, present }: Setting): Readonly<Record<string, number>> {
  return {
    headTexels: params["headDim"]! / TEXEL,
    group: params["heads"]! / params["kvHeads"]!,
    hasSource: Number(present.has("sourceCache")),
    hasHeadBiases: Number(present.has("headBiases")),
  };
}

/** How long the lines of scores must be: as long as the longest range of a row, which the host wrote. */
export const scorePlan = (
  { rows, heads, list }: Parameters<Plan>[0],
  words: Parameters<Plan>[1],
  present: ReadonlySet<string>,
) => {
  const ranges = words("ranges").subarray(list! * rows! * 4, (list! + 1) * rows! * 4);
  let longest = 1;
  for (let row = 0; row < rows!; row++) longest = Math.max(longest, ranges[row * 4 + 1]! - ranges[row * 4]!);
  const columnTexels = Math.ceil(longest / TEXEL);
  const scoreTexels = columnTexels * (present.has("sourceCache") ? 2 : 1);
  return {
    numbers: { columnTexels, scoreTexels, none: Number.NaN },
    temporaries: { scores: rows! * heads! * scoreTexels },
  };
};

/** The plan's numbers. */
export const SCORE_NUMBERS = { columnTexels: "Integer", scoreTexels: "Integer", none: "Float" } as const;

/** The pass. */
export const scorePass: WebGlPass = {
  writes: "scores",
  source,
  functions: [quotientFunction, softcappedFunction, visibleFunction],
  line: ({ scoreTexels }) => scoreTexels!,
};

import { cacheFormats, headWords } from "../cache/cache.ts";
import { singlesPreludes } from "../cache/preludes.ts";
import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import wgsl from "./cache-move.wgsl?raw";

/** One word a lane, for each format. */
export const gpu: readonly WgslImplementation[] = cacheFormats.map((format) => ({
  name: `cache-move.${format}`,
  wgsl: singlesPreludes[format] + wgsl,
  elements: { moves: "vec2<u32>" },
  requires: [],
  formats: [format],
  workgroups: ({ params: { rows, kvHeads, headDim } }) =>
    spreadLanes(rows! * 2 * kvHeads! * headWords({ format, headDim: headDim! })),
}));

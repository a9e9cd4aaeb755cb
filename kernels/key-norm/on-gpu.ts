import { cacheFormats } from "../cache/cache.ts";
import { singlesPreludes } from "../cache/preludes.ts";
import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import { shaderOnDemand } from "../shader-on-demand.ts";

/** One row a lane, for each format. */
export const gpu: readonly WgslImplementation[] = cacheFormats.map((format) => ({
  name: `key-norm.${format}`,
  wgsl: async () => singlesPreludes[format] + (await shaderOnDemand("keyNorm")),
  elements: { cache: "Cached" },
  requires: [],
  formats: [format],
  workgroups: ({ params }) => spreadLanes(params["rows"]!),
}));

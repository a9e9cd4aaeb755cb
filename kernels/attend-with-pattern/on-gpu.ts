import { cacheFormats } from "../cache/cache.ts";
import { attentionElements, attentionRead, singlesPreludes } from "../cache/preludes.ts";
import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import { shaderOnDemand } from "../shader-on-demand.ts";

/** One element of z a lane, for each format. */
export const gpu: readonly WgslImplementation[] = cacheFormats.map((format) => ({
  name: `attend-with-pattern.${format}`,
  wgsl: async () => singlesPreludes[format] + attentionRead + (await shaderOnDemand("attendWithPattern")),
  elements: attentionElements,
  requires: [],
  formats: [format],
  constants: ({ present }) => ({ HAS_SOURCE: present.has("sourceCache") }),
  workgroups: ({ params: { rows, heads, headDim } }) => spreadLanes(rows! * heads! * headDim!),
}));

import { cacheFormats } from "../cache/cache.ts";
import { attentionElements, attentionRead, singlesPreludes } from "../cache/preludes.ts";
import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import wgsl from "./attend-with-pattern.wgsl?raw";

/** One element of z a lane, for each format. */
export const gpu: readonly WgslImplementation[] = cacheFormats.map((format) => ({
  name: `attend-with-pattern.${format}`,
  wgsl: singlesPreludes[format] + attentionRead + wgsl,
  elements: attentionElements,
  requires: [],
  formats: [format],
  constants: ({ present }) => ({ HAS_SOURCE: present.has("sourceCache") }),
  workgroups: ({ params: { rows, heads, headDim } }) => spreadLanes(rows! * heads! * headDim!),
}));

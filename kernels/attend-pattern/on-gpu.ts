import visible from "../attend/webgpu/visible.wgsl?raw";
import { cacheFormats } from "../cache/cache.ts";
import { attentionElements, attentionRead, singlesPreludes } from "../cache/preludes.ts";
import { spread } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import { shaderOnDemand } from "../shader-on-demand.ts";
import weight from "../softmax/weight.wgsl?raw";

/** A workgroup per row and head, for each format. */
export const gpu: readonly WgslImplementation[] = cacheFormats.map((format) => ({
  name: `attend-pattern.${format}`,
  wgsl: async () =>
    weight + visible + singlesPreludes[format] + attentionRead + (await shaderOnDemand("attendPattern")),
  elements: { ...attentionElements, pattern: "u32" },
  requires: [],
  formats: [format],
  constants: ({ present }) => ({
    HAS_SOURCE: present.has("sourceCache"),
    HAS_HEAD_BIASES: present.has("headBiases"),
  }),
  workgroups: ({ params: { rows, heads } }) => spread(rows! * heads!),
}));

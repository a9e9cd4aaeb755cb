import visible from "../attend/webgpu/visible.wgsl?raw";
import { cacheFormats } from "../cache/cache.ts";
import { attentionElements, attentionRead, singlesPreludes } from "../cache/preludes.ts";
import { spread } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import weight from "../softmax/weight.wgsl?raw";
import code from "./attend-pattern.wgsl?raw";

/** A workgroup per row and head, for each format. */
export const gpu: readonly WgslImplementation[] = cacheFormats.map((format) => ({
  name: `attend-pattern.${format}`,
  wgsl: weight + visible + singlesPreludes[format] + attentionRead + code,
  elements: { ...attentionElements, pattern: "u32" },
  requires: [],
  formats: [format],
  constants: ({ present }) => ({
    HAS_SOURCE: present.has("sourceCache"),
    HAS_HEAD_BIASES: present.has("headBiases"),
  }),
  workgroups: ({ params: { rows, heads } }) => spread(rows! * heads!),
}));

import { cacheFormats } from "../cache/cache.ts";
import { storePreludes } from "../cache/preludes.ts";
import { spread } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import wgsl from "./rotate-store.wgsl?raw";
import rotated from "./rotated.wgsl?raw";

/** Lanes of a workgroup, numbers of a head that it takes. */
const LANES = 64;

/** One element a lane, for each format. */
export const gpu: readonly WgslImplementation[] = cacheFormats.map((format) => ({
  name: `rotate-store.${format}`,
  wgsl: storePreludes[format] + rotated + wgsl,
  elements: { rotation: "vec2<f32>", cache: "Cached" },
  requires: [],
  formats: [format],
  constants: ({ present }) => ({
    HAS_ROTATION: present.has("rotation"),
    HAS_Q_NORM: present.has("qNorm"),
    HAS_K_NORM: present.has("kNorm"),
  }),
  workgroups: ({ params: { rows, heads, kvHeads, headDim } }) =>
    spread(rows! * (heads! + 2 * kvHeads!) * Math.ceil(headDim! / LANES)),
}));

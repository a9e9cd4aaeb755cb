import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import { shaderOnDemand } from "../shader-on-demand.ts";
import rotated from "../rotate-store/rotated.wgsl?raw";

/** One element a lane. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "rotate",
    wgsl: async () => rotated + (await shaderOnDemand("rotate")),
    elements: { rotation: "vec2<f32>" },
    requires: [],
    constants: ({ present }) => ({
      HAS_ROTATION: true,
      HAS_Q_NORM: present.has("qNorm"),
      HAS_K_NORM: present.has("kNorm"),
    }),
    workgroups: ({ params: { rows, heads, kvHeads, headDim } }) =>
      spreadLanes(rows! * (heads! + 2 * kvHeads!) * headDim!),
  },
];

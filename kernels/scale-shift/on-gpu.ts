import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import { shaderOnDemand } from "../shader-on-demand.ts";

/** One element a lane. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "scale-shift",
    wgsl: () => shaderOnDemand("scaleShift"),
    requires: [],
    constants: ({ present }) => ({ HAS_BIAS: present.has("bias") }),
    workgroups: ({ params }) => spreadLanes(params["rows"]! * params["dim"]!),
  },
];

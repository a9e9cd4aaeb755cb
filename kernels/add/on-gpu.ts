import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import { shaderOnDemand } from "../shader-on-demand.ts";

/** One element a lane. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "add",
    wgsl: () => shaderOnDemand("add"),
    requires: [],
    workgroups: ({ params }) => spreadLanes(params["rows"]! * params["dim"]!),
  },
];

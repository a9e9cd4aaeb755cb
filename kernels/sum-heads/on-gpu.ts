import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import { shaderOnDemand } from "../shader-on-demand.ts";

/** One sum a lane. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "sum-heads",
    wgsl: () => shaderOnDemand("sumHeads"),
    requires: [],
    workgroups: ({ params }) => spreadLanes(params["rows"]! * params["columns"]!),
  },
];

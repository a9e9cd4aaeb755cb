import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import { shaderOnDemand } from "../shader-on-demand.ts";

/** A number of the result a lane. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "combine-rows",
    wgsl: () => shaderOnDemand("combineRows"),
    elements: { y: "u32" },
    requires: [],
    workgroups: ({ params }) => spreadLanes(params["rows"]! * params["columns"]!),
  },
];

import { spreadLanes } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import { shaderOnDemand } from "../shader-on-demand.ts";

/** A word a lane. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "select-words",
    wgsl: () => shaderOnDemand("selectWords"),
    requires: [],
    workgroups: ({ params }) => spreadLanes(params["rows"]!),
  },
];

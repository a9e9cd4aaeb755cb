import { spread } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import { shaderOnDemand } from "../shader-on-demand.ts";

/** A workgroup per row. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "normalize",
    wgsl: () => shaderOnDemand("normalize"),
    requires: [],
    workgroups: ({ params }) => spread(params["rows"]!),
  },
];

import { spread } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import { shaderOnDemand } from "../shader-on-demand.ts";
import weight from "../softmax/weight.wgsl?raw";

/** A workgroup per row. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "log-sum-exp",
    wgsl: async () => weight + (await shaderOnDemand("logSumExp")),
    requires: [],
    workgroups: ({ params }) => spread(params["rows"]!),
  },
];

import { spread } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import { shaderOnDemand } from "../shader-on-demand.ts";
import weight from "./weight.wgsl?raw";

/** A subgroup per row, else a workgroup per row. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "softmax.subgroups",
    wgsl: async () => weight + (await shaderOnDemand("softmaxSubgroups")),
    requires: ["subgroups"],
    constants: ({ subgroupSize }) => ({ WORKGROUP: subgroupSize }),
    workgroups: ({ params }) => spread(params["rows"]!),
  },
  {
    name: "softmax",
    wgsl: async () => weight + (await shaderOnDemand("softmax")),
    requires: [],
    workgroups: ({ params }) => spread(params["rows"]!),
  },
];

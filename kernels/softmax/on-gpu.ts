import { spread } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import subgroups from "./softmax.subgroups.wgsl?raw";
import wgsl from "./softmax.wgsl?raw";

/** A subgroup per row, else a workgroup per row. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "softmax.subgroups",
    wgsl: subgroups,
    requires: ["subgroups"],
    constants: ({ subgroupSize }) => ({ WORKGROUP: subgroupSize }),
    workgroups: ({ params }) => spread(params["rows"]!),
  },
  { name: "softmax", wgsl, requires: [], workgroups: ({ params }) => spread(params["rows"]!) },
];

import { spread } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import subgroups from "./softmax.subgroups.wgsl?raw";
import wgsl from "./softmax.wgsl?raw";
import weight from "./weight.wgsl?raw";

/** A subgroup per row, else a workgroup per row. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "softmax.subgroups",
    wgsl: weight + subgroups,
    requires: ["subgroups"],
    constants: ({ subgroupSize }) => ({ WORKGROUP: subgroupSize }),
    workgroups: ({ params }) => spread(params["rows"]!),
  },
  { name: "softmax", wgsl: weight + wgsl, requires: [], workgroups: ({ params }) => spread(params["rows"]!) },
];

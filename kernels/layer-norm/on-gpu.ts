import { spread } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import subgroups from "./layer-norm.subgroups.wgsl?raw";
import wgsl from "./layer-norm.wgsl?raw";

/** A subgroup per row, else a workgroup per row. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "layer-norm.subgroups",
    wgsl: subgroups,
    requires: ["subgroups"],
    constants: ({ present, subgroupSize }) => ({ WORKGROUP: subgroupSize, HAS_BIAS: present.has("bias") }),
    workgroups: ({ params }) => spread(params["rows"]!),
  },
  {
    name: "layer-norm",
    wgsl,
    requires: [],
    constants: ({ present }) => ({ HAS_BIAS: present.has("bias") }),
    workgroups: ({ params }) => spread(params["rows"]!),
  },
];

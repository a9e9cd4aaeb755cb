import { spread } from "../dispatch.ts";
import type { WgslImplementation } from "../kernel.ts";
import subgroups from "./rms-norm.subgroups.wgsl?raw";
import wgsl from "./rms-norm.wgsl?raw";

/** A subgroup per row, else a workgroup per row. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "rms-norm.subgroups",
    wgsl: subgroups,
    requires: ["subgroups"],
    constants: ({ present, subgroupSize }) => ({ WORKGROUP: subgroupSize, HAS_RESIDUAL: present.has("residual") }),
    workgroups: ({ params }) => spread(params["rows"]!),
  },
  {
    name: "rms-norm",
    wgsl,
    requires: [],
    constants: ({ present }) => ({ HAS_RESIDUAL: present.has("residual") }),
    workgroups: ({ params }) => spread(params["rows"]!),
  },
];

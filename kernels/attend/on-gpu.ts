import { spread } from "../dispatch.ts";
import type { Setting, WgslImplementation } from "../kernel.ts";
import subgroups from "./attend.subgroups.wgsl?raw";
import plain from "./attend.wgsl?raw";
import visible from "./visible.wgsl?raw";

const sources = ({ present }: Setting) => ({
  HAS_SOURCE: present.has("sourceCache"),
  HAS_HEAD_PARAMS: present.has("headParams"),
});

/** Workgroups [.., .., slices] for a workgroup per row and head and slice of `dims` dimensions of the head. */
function workgroupsOf({ params: { rows, heads, headDim } }: Setting, dims: number): readonly number[] {
  const [x, y] = spread(rows! * heads!);
  return [x, y, Math.ceil(headDim! / dims)];
}

/** A subgroup per row and head, else a workgroup per row and head. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "attend.subgroups",
    wgsl: visible + subgroups,
    requires: ["subgroups"],
    fits: ({ params }) => params["headDim"]! % 4 === 0,
    constants: (setting) => ({ WORKGROUP: setting.subgroupSize, ...sources(setting) }),
    workgroups: (setting) => workgroupsOf(setting, 16 * setting.subgroupSize),
  },
  {
    name: "attend",
    wgsl: visible + plain,
    requires: [],
    constants: sources,
    workgroups: (setting) => workgroupsOf(setting, 256),
  },
];

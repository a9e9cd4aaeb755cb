import { spread } from "../dispatch.ts";
import type { Setting, WgslImplementation } from "../kernel.ts";
import rowsOfFour from "./attend.rows.subgroups.wgsl?raw";
import subgroups from "./attend.subgroups.wgsl?raw";
import plain from "./attend.wgsl?raw";
import visible from "./visible.wgsl?raw";

const sources = ({ present }: Setting) => ({
  HAS_SOURCE: present.has("sourceCache"),
  HAS_HEAD_PARAMS: present.has("headParams"),
});

/** Workgroups [.., .., slices] for a workgroup per `tile` rows, head, and slice of `dims` dimensions of the head. */
function workgroupsOf({ params: { rows, heads, headDim } }: Setting, dims: number, tile = 1): readonly number[] {
  const [x, y] = spread(Math.ceil(rows! / tile) * heads!);
  return [x, y, Math.ceil(headDim! / dims)];
}

/** A subgroup per row and head, or per four rows and head where there are many, else a workgroup per row and head. */
export const gpu: readonly WgslImplementation[] = [
  {
    name: "attend.rows.subgroups",
    wgsl: visible + rowsOfFour,
    requires: ["subgroups"],
    rows: { min: 5 },
    fits: ({ params }) => params["headDim"]! % 4 === 0,
    constants: (setting) => ({ WORKGROUP: setting.subgroupSize, ...sources(setting) }),
    workgroups: (setting) => workgroupsOf(setting, 16 * setting.subgroupSize, 4),
  },
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

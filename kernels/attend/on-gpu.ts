import { cacheFormats } from "../cache/cache.ts";
import { attentionRead, foursPreludes, singlesPreludes } from "../cache/preludes.ts";
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

const hasWholeGroups = ({ params }: Setting) => params["headDim"]! % 4 === 0;

/**
 * A subgroup per row and head, or per four rows and head where there are many, else a workgroup per row and head: each for
 * every format of the cache.
 */
export const gpu: readonly WgslImplementation[] = cacheFormats.flatMap((format): readonly WgslImplementation[] => [
  {
    name: `attend.rows.subgroups.${format}`,
    wgsl: visible + foursPreludes[format] + attentionRead + rowsOfFour,
    requires: ["subgroups"],
    formats: [format],
    rows: { min: 5 },
    fits: hasWholeGroups,
    constants: (setting) => ({ WORKGROUP: setting.subgroupSize, ...sources(setting) }),
    workgroups: (setting) => workgroupsOf(setting, 16 * setting.subgroupSize, 4),
  },
  {
    name: `attend.subgroups.${format}`,
    wgsl: visible + foursPreludes[format] + attentionRead + subgroups,
    requires: ["subgroups"],
    formats: [format],
    fits: hasWholeGroups,
    constants: (setting) => ({ WORKGROUP: setting.subgroupSize, ...sources(setting) }),
    workgroups: (setting) => workgroupsOf(setting, 16 * setting.subgroupSize),
  },
  {
    name: `attend.${format}`,
    wgsl: visible + singlesPreludes[format] + attentionRead + plain,
    requires: [],
    formats: [format],
    constants: sources,
    workgroups: (setting) => workgroupsOf(setting, 256),
  },
]);

import { spread, spreadLanes } from "../dispatch.ts";
import type { Setting, WgslImplementation } from "../kernel.ts";
import activation from "../activate/activation.wgsl?raw";
import { gpuFormats, unpackPreludes } from "../matrix/preludes.ts";
import epilogue from "./epilogue.wgsl?raw";
import row from "./gated-linear.row.subgroups.wgsl?raw";
import rows from "./gated-linear.rows.subgroups.wgsl?raw";
import tiles from "./gated-linear.tiles.wgsl?raw";
import plain from "./gated-linear.wgsl?raw";

/** Outputs of a subgroup, and of a lane of the tiled variant. */
const OUTPUTS = 4;

const epilogueOf = ({ present }: Setting) => ({
  HAS_GATE_BIAS: present.has("gateBias"),
  HAS_UP_BIAS: present.has("upBias"),
});
const hasOneFormat = ({ formats }: Setting) => formats["gate"] === formats["up"];
const hasWholeGroups = (setting: Setting) => hasOneFormat(setting) && setting.params["inputs"]! % 4 === 0;
/** Lanes in a workgroup of subgroups: a few subgroups where they are small, whose dispatch would cost more than their work. */
const subgroupLanes = ({ subgroupSize }: Setting) => Math.max(32, subgroupSize);
const outputsPerWorkgroup = (setting: Setting) => (subgroupLanes(setting) / setting.subgroupSize) * OUTPUTS;
/** Lanes in a workgroup of tiles: few on adapters that compute in narrow vectors. */
const tileLanes = ({ subgroupSize }: Setting) => (subgroupSize === 0 ? 64 : Math.max(16, subgroupSize));

const subgroupConstants = (setting: Setting) => ({
  WORKGROUP: subgroupLanes(setting),
  OUTPUTS: outputsPerWorkgroup(setting),
  ...epilogueOf(setting),
});
const subgroupWorkgroups = (setting: Setting) =>
  spread(Math.ceil(setting.params["outputs"]! / outputsPerWorkgroup(setting)));

/** One row and two to four rows by subgroups, more by tiles, and a plain variant for any shape: each for every format. */
export const gpu: readonly WgslImplementation[] = gpuFormats.flatMap((format): readonly WgslImplementation[] => {
  const prelude = unpackPreludes[format] + activation + epilogue;
  const formats = [format];
  return [
    {
      name: `gated-linear.row.subgroups.${format}`,
      wgsl: prelude + row,
      requires: ["subgroups"],
      formats,
      rows: { max: 1 },
      fits: hasWholeGroups,
      constants: subgroupConstants,
      workgroups: subgroupWorkgroups,
    },
    {
      name: `gated-linear.rows.subgroups.${format}`,
      wgsl: prelude + rows,
      requires: ["subgroups"],
      formats,
      rows: { min: 2, max: 4 },
      fits: hasWholeGroups,
      constants: subgroupConstants,
      workgroups: subgroupWorkgroups,
    },
    {
      name: `gated-linear.tiles.${format}`,
      wgsl: prelude + tiles,
      requires: [],
      formats,
      rows: { min: 2 },
      fits: hasWholeGroups,
      constants: (setting) => ({ WORKGROUP: tileLanes(setting), ...epilogueOf(setting) }),
      workgroups: (setting) => [
        Math.ceil(setting.params["outputs"]! / (tileLanes(setting) * OUTPUTS)),
        Math.ceil(setting.params["rows"]! / 4),
        1,
      ],
    },
    {
      name: `gated-linear.${format}`,
      wgsl: prelude + plain,
      requires: [],
      formats,
      fits: hasOneFormat,
      constants: epilogueOf,
      workgroups: ({ params }) => spreadLanes(Math.ceil(params["rows"]! / 4) * params["outputs"]!),
    },
  ];
});

import { cacheFormats } from "../cache/cache.ts";
import { attentionElements, attentionRead, foursPreludes, singlesPreludes } from "../cache/preludes.ts";
import { spread } from "../dispatch.ts";
import type { Setting, WgslImplementation } from "../kernel.ts";
import weight from "../softmax/weight.wgsl?raw";
import chunkF16 from "./webgpu/chunk.f16.wgsl?raw";
import chunkF32 from "./webgpu/chunk.f32.wgsl?raw";
import rowsOfFour from "./webgpu/rows.subgroups.wgsl?raw";
import split from "./webgpu/split.wgsl?raw";
import subgroups from "./webgpu/subgroups.wgsl?raw";
import tiles from "./webgpu/tiles.wgsl?raw";
import plain from "./webgpu/attend.wgsl?raw";
import tileMemory from "./webgpu/tile.wgsl?raw";
import visible from "./webgpu/visible.wgsl?raw";
import walk from "./webgpu/walk.subgroups.wgsl?raw";

/** Rows of a tile of `attend.tiles`, and the largest head that its lanes can sum up. */
const TILE = { rows: 32, headDim: 128, workgroupBytes: 14_000 } as const;
/** Parts into which the keys of a row are cut at most, and rows for which they are. */
const SPLIT = { parts: 32, rows: 4 } as const;

const sources = ({ present }: Setting) => ({
  HAS_SOURCE: present.has("sourceCache"),
  HAS_HEAD_BIASES: present.has("headBiases"),
});

/** Workgroups [.., .., slices] for a workgroup per `tile` rows, head, and slice of `dims` dimensions of the head. */
function workgroupsOf({ params: { rows, heads, headDim } }: Setting, dims: number, tile = 1): readonly number[] {
  const [x, y] = spread(Math.ceil(rows! / tile) * heads!);
  return [x, y, Math.ceil(headDim! / dims)];
}

/** Shaders that read four numbers at a time do so of queries and results, too. */
const foursElements = { ...attentionElements, q: "vec4<f32>", z: "vec4<f32>" };

/** Dimensions that a subgroup adds up in one walk. */
const dimsOfWalk = ({ subgroupSize }: Setting) => 16 * subgroupSize;
const hasWholeGroups = ({ params }: Setting) => params["headDim"]! % 4 === 0;

/**
 * On GPUs by tiles, or in parts of a row's keys where rows are few. Else a subgroup per row and head, or per four rows and head
 * where there are many, or a workgroup per row and head: each for every format of the cache.
 */
export const gpu: readonly WgslImplementation[] = cacheFormats.flatMap((format): readonly WgslImplementation[] => {
  const fours = weight + visible + foursPreludes[format] + attentionRead;
  const inTiles: WgslImplementation = {
    name: `attend.tiles.${format}`,
    wgsl: fours + chunkF32 + tileMemory + tiles,
    elements: foursElements,
    requires: [],
    formats: [format],
    suits: "hardware",
    rows: { min: 5 },
    fits: (setting) =>
      hasWholeGroups(setting) &&
      setting.params["headDim"]! <= TILE.headDim &&
      setting.maxWorkgroupBytes >= TILE.workgroupBytes,
    constants: (setting) => ({ CHUNKS: Math.ceil(setting.params["headDim"]! / 32), ...sources(setting) }),
    workgroups: ({ params: { rows, heads } }) => spread(Math.ceil(rows! / TILE.rows) * heads!),
  };
  // chosen only by measurement: not timed on a GPU yet
  const inTilesOfHalves: WgslImplementation = {
    ...inTiles,
    name: `attend.tiles.halves.${format}`,
    wgsl: fours + chunkF16 + tileMemory + tiles,
    requires: ["f16"],
  };
  return [
    inTiles,
    ...(format === "f16" ? [inTilesOfHalves] : []),
    {
      name: `attend.split.${format}`,
      wgsl: fours + walk + split,
      elements: foursElements,
      requires: ["subgroups"],
      formats: [format],
      suits: "hardware",
      rows: { max: SPLIT.rows },
      fits: hasWholeGroups,
      constants: (setting) => ({ WORKGROUP: setting.subgroupSize, PARTS: SPLIT.parts, ...sources(setting) }),
      workgroups: ({ params: { rows, heads } }) => {
        const [x, y] = spread(rows! * heads!);
        return [x, y, SPLIT.parts];
      },
      secondPass: {
        entryPoint: "merge",
        workgroups: ({ params: { rows, heads } }) => spread(rows! * heads!),
        scratchLength: ({ params: { heads, headDim } }) => SPLIT.rows * heads! * SPLIT.parts * (4 + headDim!),
      },
    },
    {
      name: `attend.rows.subgroups.${format}`,
      wgsl: fours + rowsOfFour,
      elements: foursElements,
      requires: ["subgroups"],
      formats: [format],
      rows: { min: 5 },
      fits: hasWholeGroups,
      constants: (setting) => ({ WORKGROUP: setting.subgroupSize, ...sources(setting) }),
      workgroups: (setting) => workgroupsOf(setting, dimsOfWalk(setting), 4),
    },
    {
      name: `attend.subgroups.${format}`,
      wgsl: fours + walk + subgroups,
      elements: foursElements,
      requires: ["subgroups"],
      formats: [format],
      fits: hasWholeGroups,
      constants: (setting) => ({ WORKGROUP: setting.subgroupSize, ...sources(setting) }),
      workgroups: (setting) => workgroupsOf(setting, dimsOfWalk(setting)),
    },
    {
      name: `attend.${format}`,
      wgsl: weight + visible + singlesPreludes[format] + attentionRead + plain,
      elements: attentionElements,
      requires: [],
      formats: [format],
      constants: sources,
      workgroups: (setting) => workgroupsOf(setting, 256),
    },
  ];
});

// The WGSL implementations of kernels that multiply x by matrices, for each format: loops that are the same for all kernels, with the
// kernel's own quad.wgsl and epilogue.wgsl in front, and the kernel's plain variant for any shape. README.md explains the words.

import { spread, spreadLanes } from "../dispatch.ts";
import type { Bound, Setting, WgslImplementation } from "../kernel.ts";
import { shaderOnDemand } from "../shader-on-demand.ts";
import activation from "../activate/activation.wgsl?raw";
import blocksF16 from "./webgpu/blocks.f16.wgsl?raw";
import blocksF32 from "./webgpu/blocks.f32.wgsl?raw";
import blocksHalfWeights from "./webgpu/blocks.half-weights.wgsl?raw";
import blocks from "./webgpu/blocks.wgsl?raw";
import quadReads from "./webgpu/quads.wgsl?raw";
import type { MatrixFormat } from "./matrix.ts";
import half from "./webgpu/formats/half.wgsl?raw";
import { gpuFormats, unpackPreludes } from "./webgpu/formats/preludes.ts";
import { isQuantized } from "./quantize.ts";
import rowSplit from "./webgpu/row.split.wgsl?raw";
import rowSubgroups from "./webgpu/row.subgroups.wgsl?raw";
import rowsSubgroups from "./webgpu/rows.subgroups.wgsl?raw";
import tilesBroadcast from "./webgpu/tiles.broadcast.wgsl?raw";
import tiles from "./webgpu/tiles.wgsl?raw";

/** What differs between the kernels. */
export interface MatrixKernel {
  readonly name: string;
  /** elements of the matrices */
  readonly elements: Readonly<Record<string, string>>;
  /** its matrices as quads of four lines, see `linear/quad.wgsl` */
  readonly quad: string;
  /** how a sum becomes an output: the functions that `quad` calls */
  readonly epilogue: string;
  /** the shader for any shape, which reads x number by number */
  readonly plain: string;
  /** outputs of a quad, the QUAD of quad.wgsl */
  readonly quadOutputs: number;
  /** whether the matrices suit these shaders at all */
  readonly fits?: (setting: Setting) => boolean;
  /** the overrides of `epilogue` */
  readonly constants: (setting: Setting) => Readonly<Record<string, boolean>>;
  /** the bound where numbers are rounded so that a sum of n products is off by less than `error` · sqrt(n), see docs/numerics.md */
  readonly roundedBound: (params: Readonly<Record<string, number>>, error: number) => Bound;
}

/** The WGSL language feature with dot4I8Packed. */
const PACKED_DOT = "packed_4x8_integer_dot_product";
/** Lanes of a workgroup that splits one row. */
const SPLIT_LANES = 128;
/** Rows, and lines, of a workgroup of `blocks`. */
const BLOCK = 64;
/** Errors of sums with x rounded to 8 bits, and with x and weights rounded to halves: see docs/numerics.md. */
const ROUNDED = { int8: 3.3e-2, f16: 1.7e-3 } as const;
/** Rows per lane of the broadcast variants, and the counts of rows that each is used for. */
const BROADCASTS = [
  { tile: 8, rows: { min: 5, max: 8 } },
  { tile: 16, rows: { min: 9, max: 16 } },
  { tile: 32, rows: { min: 17 } },
] as const;

/** Lanes in a workgroup of subgroups: several where subgroups are small, because a dispatch of one would cost more than its work. */
const subgroupLanes = ({ subgroupSize }: Setting) => Math.max(32, subgroupSize);
/** Lanes in a workgroup of tiles: few on adapters that compute in narrow vectors. */
const tileLanes = ({ subgroupSize }: Setting) => (subgroupSize === 0 ? 64 : Math.max(16, subgroupSize));

/** Lanes of a subgroup that can be counted on. */
const fewestLanes = ({ subgroupSize, minSubgroupSize = subgroupSize }: Setting) => minSubgroupSize;
/** Lanes that broadcast x to the others: 8 or 4, which every subgroup has. */
const stepOf = (setting: Setting) => (fewestLanes(setting) < 8 ? 4 : 8);

const outputsOf = ({ params }: Setting) => params["outputs"]!;

/** All variants of a kernel, best first for each format. */
export function matrixVariants(kernel: MatrixKernel): readonly WgslImplementation[] {
  return gpuFormats.flatMap((format) => variants(kernel, format));
}

function variants(kernel: MatrixKernel, format: MatrixFormat): readonly WgslImplementation[] {
  const { name, quadOutputs, constants } = kernel;
  const own = activation + kernel.epilogue;
  const prelude = unpackPreludes[format] + own + kernel.quad + quadReads;
  const hasWhole =
    (columns: number) =>
    (setting: Setting): boolean =>
      (kernel.fits?.(setting) ?? true) && setting.params["inputs"]! % columns === 0;
  const elements = { ...kernel.elements, x: "vec4<f32>" };
  const base = { formats: [format], elements, fits: hasWhole(4) };

  /** A variant whose subgroups take `quads` quads each. */
  const bySubgroups = (quads: number) => {
    const outputs = (setting: Setting) => (subgroupLanes(setting) / setting.subgroupSize) * quads * quadOutputs;
    return {
      requires: ["subgroups"],
      constants: (setting: Setting) => ({
        WORKGROUP: subgroupLanes(setting),
        OUTPUTS: outputs(setting),
        ...constants(setting),
      }),
      workgroups: (setting: Setting) => spread(Math.ceil(outputsOf(setting) / outputs(setting))),
    };
  };
  const dots: readonly WgslImplementation[] = isQuantized(format)
    ? [
        {
          ...bySubgroups(4),
          name: `${name}.row.dots.${format}`,
          wgsl: async () => prelude + (await shaderOnDemand("rowDots"))[format],
          requires: ["subgroups", PACKED_DOT],
          formats: [format],
          elements,
          rows: { max: 1 },
          fits: hasWhole(32),
          isApproximate: true,
          bound: (params) => kernel.roundedBound(params, ROUNDED.int8),
        },
      ]
    : [];

  const inBlocks: WgslImplementation = {
    ...base,
    name: `${name}.blocks.${format}`,
    wgsl: prelude + blocksF32 + blocks,
    requires: [],
    suits: "hardware",
    rows: { min: 17 }, // fewer leave most of a block empty
    constants,
    workgroups: (setting) => [
      Math.ceil(outputsOf(setting) / ((BLOCK / 4) * quadOutputs)),
      Math.ceil(setting.params["rows"]! / BLOCK),
      1,
    ],
  };
  // chosen only by measurement: not timed on a GPU yet
  const inBlocksOfHalves: readonly WgslImplementation[] = [
    ...(format === "f16"
      ? [
          {
            ...inBlocks,
            name: `${name}.blocks.half-weights.f16`,
            wgsl: prelude + blocksHalfWeights + blocks,
            requires: ["f16"],
          },
        ]
      : []),
    {
      ...inBlocks,
      name: `${name}.blocks.halves.${format}`,
      wgsl: prelude + blocksF16 + blocks,
      requires: ["f16"],
      isApproximate: true,
      bound: (params) => kernel.roundedBound(params, ROUNDED.f16),
    },
  ];

  const wholeRows: readonly WgslImplementation[] = isQuantized(format)
    ? [
        {
          ...base,
          name: `${name}.row.whole.${format}`,
          wgsl: async () => {
            const unpack = half + (await shaderOnDemand("wholePreludes"))[format];
            return unpack + own + kernel.quad + (await shaderOnDemand("rowWhole"));
          },
          requires: ["subgroups"],
          suits: "software",
          rows: { max: 1 },
          fits: (setting) => hasWhole(32)(setting) && fewestLanes(setting) >= 4,
          constants: (setting) => ({
            WORKGROUP: setting.subgroupSize,
            STEP: stepOf(setting),
            ...constants(setting),
          }),
          workgroups: (setting) => spread(Math.ceil(outputsOf(setting) / (setting.subgroupSize * quadOutputs))),
        },
      ]
    : [];

  return [
    {
      ...base,
      name: `${name}.row.split.${format}`,
      wgsl: prelude + rowSplit,
      requires: ["subgroups"],
      suits: "hardware",
      rows: { max: 1 },
      constants: (setting) => ({ WORKGROUP: SPLIT_LANES, ...constants(setting) }),
      workgroups: (setting) => spread(Math.ceil(outputsOf(setting) / quadOutputs)),
    },
    ...wholeRows,
    {
      ...base,
      ...bySubgroups(2),
      name: `${name}.row.subgroups.${format}`,
      wgsl: prelude + rowSubgroups,
      rows: { max: 1 },
    },
    ...dots, // behind what is as fast on wider subgroups and does not round x: for measured choice
    {
      ...base,
      ...bySubgroups(2),
      name: `${name}.rows.subgroups.${format}`,
      wgsl: prelude + rowsSubgroups,
      rows: { min: 2, max: 4 },
    },
    inBlocks,
    ...BROADCASTS.map(({ tile, rows }): WgslImplementation => ({
      ...base,
      name: `${name}.tiles.broadcast${tile}.${format}`,
      wgsl: prelude + tilesBroadcast,
      requires: ["subgroups"],
      suits: "software",
      rows,
      fits: (setting) => hasWhole(4)(setting) && fewestLanes(setting) >= 4,
      constants: (setting) => ({
        WORKGROUP: setting.subgroupSize,
        STEP: stepOf(setting),
        ROWS: tile,
        ...constants(setting),
      }),
      workgroups: (setting) => [
        Math.ceil(outputsOf(setting) / (setting.subgroupSize * quadOutputs)),
        Math.ceil(setting.params["rows"]! / tile),
        1,
      ],
    })),
    {
      ...base,
      name: `${name}.tiles.${format}`,
      wgsl: prelude + tiles,
      requires: [],
      rows: { min: 2 },
      constants: (setting) => ({ WORKGROUP: tileLanes(setting), ...constants(setting) }),
      workgroups: (setting) => [
        Math.ceil(outputsOf(setting) / (tileLanes(setting) * 2 * quadOutputs)),
        Math.ceil(setting.params["rows"]! / 4),
        1,
      ],
    },
    ...inBlocksOfHalves,
    {
      name: `${name}.${format}`,
      wgsl: unpackPreludes[format] + own + kernel.plain,
      elements: kernel.elements,
      requires: [],
      formats: [format],
      ...(kernel.fits ? { fits: kernel.fits } : {}),
      constants,
      workgroups: ({ params }) => spreadLanes(Math.ceil(params["rows"]! / 4) * params["outputs"]!),
    },
  ];
}

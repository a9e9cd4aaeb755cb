// Where quantized groups lie in a packed matrix. All numbers are little-endian.
//
//   rows    blocks of groups, the last of a row may be of fewer: four words of scales, then the groups' codes, so that a shader
//           can load all of it four words at a time
//           int8: blocks of 8, two scales a word, then 8 words of codes a group
//           int4: blocks of 4, scale and minimum a word, then 4 words of eight codes a group, the first in the lowest bits
//   panels  eight rows side by side, group after group: [8] scales, for int4 [8] minima, then codes
//           int8: [16 pairs of columns][8 rows][2]
//           int4: [4 blocks of 8 columns][2 halves of 4 rows][4 rows][4], each byte with the codes of columns i and i + 4

import { putHalf } from "./float16.ts";
import { GROUP_COLUMNS, type QuantizedFormat, type QuantizedGroup } from "./quantize.ts";
import { forEachGroup, planesOf } from "./quantized-rows.ts";

/** A quantized matrix, or the part of one that a buffer holds. */
export interface QuantizedShape {
  readonly columns: number;
  readonly format: QuantizedFormat;
  readonly layout: "rows" | "panels";
}

const PANEL_ROWS = 8;
/** Bytes of one row's group in `panels`. */
const GROUP_BYTES = { int8: 34, int4: 20 } as const;
/** In `rows`: groups of a block, words of a group's codes, and of a block's scales. */
const BLOCK = { int8: { groups: 8, words: 8 }, int4: { groups: 4, words: 4 } } as const;
const SCALE_WORDS = 4;

/** Bytes of a row in the layout `rows`, of eight in `panels`. */
export function quantizedStride({ columns, format, layout }: QuantizedShape): number {
  const groups = Math.ceil(columns / GROUP_COLUMNS);
  if (layout === "panels") return groups * GROUP_BYTES[format] * PANEL_ROWS;
  const { groups: perBlock, words } = BLOCK[format];
  return (groups * words + Math.ceil(groups / perBlock) * SCALE_WORDS) * 4;
}

/** Writes whole quantized rows (quantized-rows.ts) from row `place` of `target` on; a panel's first row clears the panel. */
export function packQuantized(shape: QuantizedShape, bytes: Uint8Array, place: number, target: Uint8Array): void {
  const { columns, format, layout } = shape;
  const rows = bytes.byteLength / planesOf(format, 1, columns).byteLength;
  const stride = quantizedStride(shape);
  const isAligned = (bytes.byteOffset | target.byteOffset | target.byteLength) % 4 === 0;
  if (layout === "rows" && columns % GROUP_COLUMNS === 0 && isAligned) {
    packWholeGroups(format, bytes, rows, columns, target.subarray(place * stride));
    return;
  }
  const write = writerOf(shape);
  forEachGroup(format, bytes, rows, columns, (row, index, group) => {
    const at = place + row;
    const isPanel = layout === "panels";
    const base = (isPanel ? Math.floor(at / PANEL_ROWS) : at) * stride;
    if (index === 0 && (!isPanel || at % PANEL_ROWS === 0)) target.fill(0, base, base + stride);
    write(target, base, index, at % PANEL_ROWS, group);
  });
}

/** Bytes at which a group's block begins in the layout `rows`, and its codes. */
function placeInBlock(format: QuantizedFormat, base: number, group: number) {
  const { groups, words } = BLOCK[format];
  const block = base + Math.floor(group / groups) * (groups * words + SCALE_WORDS) * 4;
  return { block, codes: block + (SCALE_WORDS + (group % groups) * words) * 4 };
}

/** The layout `rows` of rows without a broken group: words are copied as they are, scales put between them. */
function packWholeGroups(
  format: QuantizedFormat,
  bytes: Uint8Array,
  rows: number,
  columns: number,
  target: Uint8Array,
): void {
  const { groups, minima, scales } = planesOf(format, rows, columns);
  const from = new Uint32Array(bytes.buffer, bytes.byteOffset, minima >> 2);
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1);
  const to = new Uint32Array(target.buffer, target.byteOffset, target.byteLength >> 2);
  const { groups: perBlock, words } = BLOCK[format];
  let [source, place, half, block] = [0, 0, 0, 0];
  for (let row = 0; row < rows; row++) {
    for (let group = 0; group < groups; group++, half++) {
      const inBlock = group % perBlock;
      if (inBlock === 0) {
        block = place;
        to.fill(0, block, (place += SCALE_WORDS));
      }
      const scale = halves[(scales >> 1) + half]!;
      if (format === "int4") to[block + inBlock] = scale | (halves[(minima >> 1) + half]! << 16);
      else to[block + (inBlock >> 1)]! |= scale << ((inBlock & 1) * 16);
      for (const end = source + words; source < end; source++) to[place++] = from[source]!;
    }
  }
}

type Writer = (target: Uint8Array, base: number, group: number, row: number, from: QuantizedGroup) => void;

/** Writes one group into zeros; loops without closures, since every weight of a model passes here. */
function writerOf({ format, layout }: QuantizedShape): Writer {
  switch (`${format}.${layout}` as const) {
    case "int8.rows":
      return (target, base, group, _row, { codes, scale }) => {
        const { block, codes: at } = placeInBlock("int8", base, group);
        putHalf(target, block + (group % 8) * 2, scale);
        for (let i = 0; i < GROUP_COLUMNS; i++) target[at + i] = codes[i]!;
      };
    case "int4.rows":
      return (target, base, group, _row, { codes, scale, minimum }) => {
        const { block, codes: at } = placeInBlock("int4", base, group);
        putHalf(target, block + (group % 4) * 4, scale);
        putHalf(target, block + (group % 4) * 4 + 2, minimum);
        for (let i = 0; i < GROUP_COLUMNS; i += 2) target[at + (i >> 1)] = codes[i]! | (codes[i + 1]! << 4);
      };
    case "int8.panels":
      return (target, base, group, row, { codes, scale }) => {
        const at = base + group * 272;
        putHalf(target, at + row * 2, scale);
        for (let i = 0; i < GROUP_COLUMNS; i++) target[at + 16 + (i >> 1) * 16 + row * 2 + (i & 1)] = codes[i]!;
      };
    default:
      return (target, base, group, row, { codes, scale, minimum }) => {
        const at = base + group * 160;
        putHalf(target, at + row * 2, scale);
        putHalf(target, at + 16 + row * 2, minimum);
        const lane = at + 32 + (row >> 2) * 16 + (row & 3) * 4;
        for (let i = 0; i < GROUP_COLUMNS; i++) {
          const byte = lane + (i >> 3) * 32 + (i & 3);
          target[byte] = target[byte]! | (codes[i]! << (i & 4));
        }
      };
  }
}

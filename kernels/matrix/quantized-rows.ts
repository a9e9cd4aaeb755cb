// Quantized rows in files, before a device packs them: planes one after the other, each row-major.
//
//   codes   [rows][columns] bytes for int8; [rows][ceil(columns / 2)] for int4, two columns a byte, the first in its lower half
//   minima  [rows][groups] halves, int4 only
//   scales  [rows][groups] halves
//
// groups = ceil(columns / 32). docs/guide/1-load.md says which tensors of a file these are.

import { f16Table, putHalf } from "./float16.ts";
import { emptyGroup, GROUP_COLUMNS, quantizeGroup, type QuantizedFormat, type QuantizedGroup } from "./quantize.ts";

/** Where the planes of some rows lie. */
export interface Planes {
  readonly groups: number;
  /** bytes of a row's codes */
  readonly codeBytes: number;
  /** bytes at which the minima begin; with int8, which has none, those at which the scales do */
  readonly minima: number;
  readonly scales: number;
  readonly byteLength: number;
}

/** Where the planes of `rows` rows lie. */
export function planesOf(format: QuantizedFormat, rows: number, columns: number): Planes {
  const groups = Math.ceil(columns / GROUP_COLUMNS);
  const codeBytes = format === "int8" ? columns : Math.ceil(columns / 2);
  const minima = rows * codeBytes;
  const scales = minima + (format === "int4" ? rows * groups * 2 : 0);
  return { groups, codeBytes, minima, scales, byteLength: scales + rows * groups * 2 };
}

function halfAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

/** Quantizes whole rows [*, columns]. */
export function quantizeRows(format: QuantizedFormat, weights: Float32Array, columns: number): Uint8Array<ArrayBuffer> {
  const rows = weights.length / columns;
  const { groups, codeBytes, minima, scales, byteLength } = planesOf(format, rows, columns);
  const bytes = new Uint8Array(byteLength);
  const group = emptyGroup();
  for (let row = 0; row < rows; row++) {
    for (let g = 0; g < groups; g++) {
      const begin = row * columns + g * GROUP_COLUMNS;
      const count = Math.min(GROUP_COLUMNS, columns - g * GROUP_COLUMNS);
      quantizeGroup(format, weights, begin, begin + count, group);
      const { codes } = group;
      putHalf(bytes, scales + (row * groups + g) * 2, group.scale);
      if (format === "int8") {
        for (let i = 0; i < count; i++) bytes[begin + i] = codes[i]!;
      } else {
        putHalf(bytes, minima + (row * groups + g) * 2, group.minimum);
        const at = row * codeBytes + (g * GROUP_COLUMNS) / 2;
        for (let i = 0; i < count; i += 2) bytes[at + (i >> 1)] = codes[i]! | (codes[i + 1]! << 4);
      }
    }
  }
  return bytes;
}

/** Calls `take` for every group of whole rows; codes beyond the last column are 0. */
export function forEachGroup(
  format: QuantizedFormat,
  bytes: Uint8Array,
  rows: number,
  columns: number,
  take: (row: number, index: number, group: QuantizedGroup) => void,
): void {
  const { groups, codeBytes, minima, scales } = planesOf(format, rows, columns);
  const group = emptyGroup();
  const { codes } = group;
  for (let row = 0; row < rows; row++) {
    for (let g = 0; g < groups; g++) {
      const count = Math.min(GROUP_COLUMNS, columns - g * GROUP_COLUMNS);
      if (count < GROUP_COLUMNS) codes.fill(0);
      group.scale = halfAt(bytes, scales + (row * groups + g) * 2);
      if (format === "int8") {
        const at = row * columns + g * GROUP_COLUMNS;
        for (let i = 0; i < count; i++) codes[i] = bytes[at + i]!;
      } else {
        group.minimum = halfAt(bytes, minima + (row * groups + g) * 2);
        const at = row * codeBytes + (g * GROUP_COLUMNS) / 2;
        for (let i = 0; i < count; i++) codes[i] = (bytes[at + (i >> 1)]! >> ((i & 1) * 4)) & 15;
      }
      take(row, g, group);
    }
  }
}

/** What whole quantized rows stand for, [rows, columns]. */
export function decodeQuantizedRows(format: QuantizedFormat, bytes: Uint8Array, columns: number): Float32Array {
  const rows = bytes.byteLength / planesOf(format, 1, columns).byteLength;
  const weights = new Float32Array(rows * columns);
  const halves = f16Table();
  forEachGroup(format, bytes, rows, columns, (row, g, { codes, scale, minimum }) => {
    const [factor, base] = [halves[scale]!, format === "int4" ? halves[minimum]! : 0];
    const begin = row * columns + g * GROUP_COLUMNS;
    const end = Math.min(begin + GROUP_COLUMNS, (row + 1) * columns);
    for (let i = begin; i < end; i++) weights[i] = factor * codes[i - begin]! + base;
  });
  return weights;
}

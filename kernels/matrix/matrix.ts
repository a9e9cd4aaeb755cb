// A weight matrix [rows, columns] as devices keep it: a format (what one weight is stored as) and a layout (in which order).
//
//   rows    row-major; each row is padded with zeros to a multiple of 32 columns
//   panels  eight rows side by side: [ceil(rows / 8)][columns][8], missing rows are zeros
//
// Quantized formats (quantize.ts) are made of stored rows while packing, or come as such (quantized-rows.ts), and are packed in
// orders of their own (pack-quantized.ts).

import { f16Table } from "./float16.ts";
import { packQuantized, quantizedStride } from "./pack-quantized.ts";
import { isQuantized, type QuantizedFormat } from "./quantize.ts";
import { planesOf, quantizeRows } from "./quantized-rows.ts";

/** Formats a safetensors file can store weights in. */
export type StoredFormat = "f32" | "f16" | "bf16";
/** What one weight is kept as. */
export type MatrixFormat = StoredFormat | QuantizedFormat;
/** In which order the weights lie. */
export type MatrixLayout = "rows" | "panels";

/** A matrix without its contents. */
export interface MatrixShape {
  readonly rows: number;
  readonly columns: number;
  readonly format: MatrixFormat;
  readonly layout: MatrixLayout;
  /** what its rows come as, where `format` is a quantized one; f32 by default, and `format` itself for rows as in quantized-rows.ts */
  readonly stored?: MatrixFormat;
}

/** Rows in a panel. */
export const PANEL_ROWS = 8;
/** Rows of the `rows` layout are padded to a multiple of this many columns. */
export const COLUMN_STEP = 32;

/** Bytes of one weight; with its share of the scales, if it is quantized, so that 32 of them are a whole number. */
export function bytesPerWeight(format: MatrixFormat): number {
  switch (format) {
    case "f32":
      return 4;
    case "f16":
    case "bf16":
      return 2;
    case "int8":
      return 34 / 32;
    case "int4":
      return 20 / 32;
    default:
      return format satisfies never;
  }
}

/** Bytes of rows as a file keeps them: row-major, or the planes of quantized-rows.ts. */
export function storedByteLength(format: MatrixFormat, rows: number, columns: number): number {
  return isQuantized(format) ? planesOf(format, rows, columns).byteLength : rows * columns * bytesPerWeight(format);
}

/** Columns of a row as the `rows` layout stores it. */
export function paddedColumns(columns: number): number {
  return Math.ceil(columns / COLUMN_STEP) * COLUMN_STEP;
}

/** Bytes that the packed matrix takes. */
export function matrixByteLength({ rows, columns, format, layout }: MatrixShape): number {
  if (isQuantized(format)) {
    return quantizedStride({ columns, format, layout }) * (layout === "rows" ? rows : Math.ceil(rows / PANEL_ROWS));
  }
  const weights =
    layout === "rows" ? rows * paddedColumns(columns) : Math.ceil(rows / PANEL_ROWS) * PANEL_ROWS * columns;
  return weights * bytesPerWeight(format);
}

type Cells = Uint32Array | Uint16Array;

function cells(format: StoredFormat, bytes: Uint8Array): Cells {
  const size = bytesPerWeight(format);
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const length = aligned.byteLength / size;
  return size === 4
    ? new Uint32Array(aligned.buffer, aligned.byteOffset, length)
    : new Uint16Array(aligned.buffer, aligned.byteOffset, length);
}

/**
 * Writes rows `begin`.. of a matrix into its packed form.
 * `source` holds whole rows, row-major, in the matrix's own format or, to be quantized, in `stored`; `target` is the packed matrix, or with the layout
 * `rows` the part of it that begins at row `targetBegin`; for `panels`, `targetBegin` is a multiple of 8.
 */
export function packRows(
  shape: MatrixShape,
  source: Uint8Array,
  begin: number,
  target: Uint8Array,
  targetBegin = 0,
): void {
  const { columns, format, layout, stored = "f32" } = shape;
  if (isQuantized(format)) {
    const rows = isQuantized(stored) ? source : quantizeRows(format, decodeWeights(stored, source), columns);
    packQuantized({ columns, format, layout }, rows, begin - targetBegin, target);
    return;
  }
  const from = cells(format, source);
  const to = cells(format, target);
  const count = from.length / columns;
  if (layout === "rows") {
    const stride = paddedColumns(columns);
    for (let row = 0; row < count; row++) {
      to.set(from.subarray(row * columns, (row + 1) * columns), (begin - targetBegin + row) * stride);
    }
    return;
  }
  for (let row = 0; row < count; row++) {
    const place = begin - targetBegin + row;
    const base = Math.floor(place / PANEL_ROWS) * PANEL_ROWS * columns + (place % PANEL_ROWS);
    const line = row * columns;
    for (let column = 0; column < columns; column++) to[base + column * PANEL_ROWS] = from[line + column]!;
  }
}

/** The numbers of stored weights: exact for every format. */
export function decodeWeights(format: StoredFormat, bytes: Uint8Array): Float32Array {
  const raw = cells(format, bytes);
  switch (format) {
    case "f32":
      return new Float32Array(raw.buffer, raw.byteOffset, raw.length).slice();
    case "f16": {
      const halves = f16Table();
      const values = new Float32Array(raw.length);
      for (let i = 0; i < raw.length; i++) values[i] = halves[raw[i]!]!;
      return values;
    }
    case "bf16": {
      const bits = new Uint32Array(raw.length);
      for (let i = 0; i < raw.length; i++) bits[i] = raw[i]! << 16;
      return new Float32Array(bits.buffer);
    }
    default:
      return format satisfies never;
  }
}

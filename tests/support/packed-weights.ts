// Reads packed quantized matrices back, written from the description in kernels/matrix/pack-quantized.ts, not from its code.

import { f16Table } from "../../kernels/matrix/float16.ts";
import { quantizedStride, type QuantizedShape } from "../../kernels/matrix/pack-quantized.ts";
import { GROUP_COLUMNS, type QuantizedFormat } from "../../kernels/matrix/quantize.ts";

/** Bytes at which a group's block begins in the layout "rows", and its codes: four words of scales, then `words` a group. */
function blockOf(groups: number, words: number, base: number, group: number) {
  const block = base + Math.floor(group / groups) * (4 + groups * words) * 4;
  return { block, codes: block + (4 + (group % groups) * words) * 4 };
}

/** The weights [rows, columns] of a packed matrix. */
export function decodeQuantized(shape: QuantizedShape, rows: number, packed: Uint8Array): Float32Array {
  const { columns, format, layout } = shape;
  const stride = quantizedStride(shape);
  const halves = f16Table();
  const weights = new Float32Array(rows * columns);
  const half = (at: number) => halves[packed[at]! | (packed[at + 1]! << 8)]!;
  for (let row = 0; row < rows; row++) {
    const base = (layout === "panels" ? Math.floor(row / 8) : row) * stride;
    for (let column = 0; column < columns; column++) {
      const at = placesOf[`${format}.${layout}`](base, Math.floor(column / GROUP_COLUMNS), row % 8);
      const i = column % GROUP_COLUMNS;
      if (format === "int8") {
        const code = (packed[at.code(i)]! << 24) >> 24;
        weights[row * columns + column] = half(at.scale) * code;
      } else {
        const code = (packed[at.code(i)]! >> at.shift(i)) & 15;
        weights[row * columns + column] = half(at.scale) * code + half(at.minimum);
      }
    }
  }
  return weights;
}

/** Bytes at which a group's parts lie. */
interface Places {
  readonly scale: number;
  readonly minimum: number;
  readonly code: (i: number) => number;
  /** int4: by how many bits the code is shifted within its byte */
  readonly shift: (i: number) => number;
}

const unshifted = () => 0;
const placesOf: Readonly<
  Record<`${QuantizedFormat}.${"rows" | "panels"}`, (base: number, group: number, row: number) => Places>
> = {
  "int8.rows": (base, group) => {
    const { block, codes } = blockOf(8, 8, base, group);
    return { scale: block + (group % 8) * 2, minimum: 0, code: (i) => codes + i, shift: unshifted };
  },
  "int4.rows": (base, group) => {
    const { block, codes } = blockOf(4, 4, base, group);
    const scale = block + (group % 4) * 4;
    return { scale, minimum: scale + 2, code: (i) => codes + (i >> 1), shift: (i) => (i & 1) * 4 };
  },
  "int8.panels": (base, group, row) => {
    const at = base + group * 272;
    return {
      scale: at + row * 2,
      minimum: 0,
      code: (i) => at + 16 + (i >> 1) * 16 + row * 2 + (i & 1),
      shift: unshifted,
    };
  },
  "int4.panels": (base, group, row) => {
    const at = base + group * 160;
    const lane = at + 32 + (row >> 2) * 16 + (row & 3) * 4;
    return {
      scale: at + row * 2,
      minimum: at + 16 + row * 2,
      code: (i) => lane + (i >> 3) * 32 + (i & 3),
      shift: (i) => i & 4,
    };
  },
};

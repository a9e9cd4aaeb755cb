import type { WebGlImplementation, WebGlRegion } from "../kernel.ts";
import { paddedColumns, type MatrixFormat } from "./matrix.ts";

/** Numbers in a texel. */
const TEXEL = 4;

/** Formats that the passes read: the texture unpacks f16, and bf16 is unpacked to f32 when it is loaded. */
export const webglFormats: readonly MatrixFormat[] = ["f32", "f16", "bf16"];

/** Texels of a row of a matrix as the layout `rows` pads it. */
export function matrixTexels(columns: number): number {
  return paddedColumns(columns) / TEXEL;
}

/** What a call writes of y [rows, outputStride]: outputs outputBegin.. of each row; all of y at once if those are whole rows. */
export const outputPlan: NonNullable<WebGlImplementation["plan"]> = (params) => {
  const { rows, outputs, outputBegin, outputStride } = params;
  if (outputs === outputStride) return {};
  const regions = Array.from({ length: rows! }, (_, row): WebGlRegion => {
    const begin = row * outputStride! + outputBegin!;
    return { begin, end: begin + outputs! };
  });
  return { regions: { y: regions } };
};

// The WGSL that is prepended to shaders that read a matrix. Four neighboring weights, columns 4k.. of the row that begins at element
// `row`, are unpack4(matrix[codes_at(row, k)], matrix[scale_at(row, k)], k); a row has row_stride(columns) elements.

import type { MatrixFormat } from "../../matrix.ts";
import bf16 from "./bf16.wgsl?raw";
import f16Exact from "./f16.exact.wgsl?raw";
import f16 from "./f16.wgsl?raw";
import f32 from "./f32.wgsl?raw";
import half from "./half.wgsl?raw";
import int4 from "./int4.wgsl?raw";
import int8 from "./int8.wgsl?raw";
import stored from "./stored.wgsl?raw";

/** The formats that shaders can read, and the WGSL that reads four weights of each. */
export const unpackPreludes: Readonly<Record<MatrixFormat, string>> = {
  f32: stored + f32,
  f16: stored + f16,
  bf16: stored + bf16,
  int8: half + int8,
  int4: half + int4,
};

/** The same with every weight exact on every adapter, for kernels that copy weights. */
export const exactPreludes: Readonly<Record<MatrixFormat, string>> = {
  ...unpackPreludes,
  f16: stored + half + f16Exact,
};

/** The formats of `unpackPreludes`. */
export const gpuFormats = Object.keys(unpackPreludes) as readonly MatrixFormat[];

// What stands in front of a shader that reads a matrix: `Packed4` and `unpack4` of the matrix's format.

import type { MatrixFormat } from "./matrix.ts";
import bf16 from "./bf16.wgsl?raw";
import f16Exact from "./f16.exact.wgsl?raw";
import f16 from "./f16.wgsl?raw";
import f32 from "./f32.wgsl?raw";

/** The formats that shaders can read, and the WGSL that reads four weights of each. */
export const unpackPreludes: Readonly<Record<MatrixFormat, string>> = { f32, f16, bf16 };

/** The same with every weight exact on every adapter, for kernels that copy weights. */
export const exactPreludes: Readonly<Record<MatrixFormat, string>> = { f32, f16: f16Exact, bf16 };

/** The formats of `unpackPreludes`. */
export const gpuFormats = Object.keys(unpackPreludes) as readonly MatrixFormat[];

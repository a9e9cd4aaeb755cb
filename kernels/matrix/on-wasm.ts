// The wasm implementations of kernels that read matrices: one function per format.

import type { Bound, Setting, WasmImplementation } from "../kernel.ts";
import type { MatrixFormat } from "./matrix.ts";
import { isQuantized } from "./quantize.ts";

const suffixes = {
  f32: "F32",
  f16: "F16",
  bf16: "Bf16",
  int8: "Int8",
  int4: "Int4",
} as const satisfies Record<MatrixFormat, string>;
const formats = Object.keys(suffixes) as readonly MatrixFormat[];

/** Inputs of the quantized variants at most: four rows of x, in 16 bits, fit a thread's scratch. */
const MAX_ROUNDED_INPUTS = 65_536;
/** The same of the others for many rows: six rows of x in f32. */
const MAX_PACKED_INPUTS = 30_000;

/** One implementation per format: `linear.plain.bf16` is the exported function `linearPlainBf16`. */
export function perFormat(
  name: string,
  wasm: string,
  rest: Omit<WasmImplementation, "name" | "wasm" | "requires" | "formats"> = {},
): readonly WasmImplementation[] {
  return formats.map((format) => ({
    name: `${name}.${format}`,
    wasm: wasm + suffixes[format],
    requires: [],
    formats: [format],
    ...rest,
  }));
}

/** Whether rounded rows, and whether packed ones, fit the scratch. */
const fitsRounded = ({ params }: Setting): boolean => params["inputs"]! <= MAX_ROUNDED_INPUTS;
const fitsPacked = ({ params }: Setting): boolean => params["inputs"]! <= MAX_PACKED_INPUTS;

const isOfQuantized = ({ formats: [format] = [] }: WasmImplementation): boolean =>
  format !== undefined && isQuantized(format);

/**
 * Few rows, many rows, and the plain one that remains where those are found wrong. With quantized weights, rows are
 * rounded to 16 bits a group of 32, and held to `roundedBound`; of few rows a second variant prefetches the next panel.
 */
export function fewManyPlain(
  name: string,
  wasm: string,
  roundedBound: (params: Readonly<Record<string, number>>) => Bound,
): readonly WasmImplementation[] {
  const few = perFormat(`${name}.few-rows`, `${wasm}FewRows`, { rows: { max: 4 } });
  const prefetching = perFormat(`${name}.few-rows.prefetch`, `${wasm}FewRowsPrefetch`, {
    rows: { max: 4 },
    isPrefetching: true,
  });
  const rounded = perFormat(`${name}.many-rows.rounded`, `${wasm}ManyRowsRounded`, { rows: { min: 5 } });
  return [
    ...few.map((one) => (isOfQuantized(one) ? { ...one, fits: fitsRounded, bound: roundedBound } : one)),
    ...prefetching.filter(isOfQuantized).map((one) => ({ ...one, fits: fitsRounded, bound: roundedBound })),
    ...rounded.filter(isOfQuantized).map((one) => ({ ...one, fits: fitsRounded, bound: roundedBound })),
    ...perFormat(`${name}.many-rows`, `${wasm}ManyRows`, { rows: { min: 5 }, fits: fitsPacked }),
    ...perFormat(`${name}.plain`, `${wasm}Plain`),
  ];
}

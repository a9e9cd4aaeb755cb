// The texts of variants for one row of quantized weights that most adapters use only where they were measured to be fast.

import type { QuantizedFormat } from "../../quantize.ts";
import rounded from "../rounded.wgsl?raw";
import rowDotsText from "../row.dots.wgsl?raw";
import int4Dots from "./int4.dots.wgsl?raw";
import int4Whole from "./int4.whole.wgsl?raw";
import int8Dots from "./int8.dots.wgsl?raw";
import int8Whole from "./int8.whole.wgsl?raw";

export { default as rowWhole } from "../row.whole.wgsl?raw";

/** row.dots.wgsl, and what stands between it and `unpackPreludes`: it rounds x and multiplies whole numbers. */
export const rowDots: Readonly<Record<QuantizedFormat, string>> = {
  int8: rounded + int8Dots + rowDotsText,
  int4: rounded + int4Dots + rowDotsText,
};

/** What stands in front of row.whole.wgsl, behind half.wgsl, in place of `unpackPreludes`: a group of 32 weights at a time. */
export const wholePreludes: Readonly<Record<QuantizedFormat, string>> = { int8: int8Whole, int4: int4Whole };

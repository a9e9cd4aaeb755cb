import type { Sample } from "../kernel.ts";

/** One head, one column; more columns than any block; twice the columns in a line, as with two key sources. */
export const shapes: readonly Sample[] = [
  { params: { rows: 1, heads: 1, columns: 1, stride: 1 } },
  { params: { rows: 5, heads: 9, columns: 257, stride: 257 } },
  { params: { rows: 3, heads: 4, columns: 64, stride: 128 } },
];

import type { SampleOf } from "../kernel.ts";
import type { combineRows } from "./combine-rows.ts";

/** Where `combine-rows` is tested: two to 64 rows of a range and ranges of one; the fourth, sixth and seventh of nine ranges have no result. */
export const shapes: readonly SampleOf<typeof combineRows>[] = [
  ...[1, 2, 3, 4, 5, 63, 64, 65, 511, 512, 513, 1021].flatMap((columns) => [
    { params: { rows: 1, columns, sourceRows: 2 } },
    { params: { rows: 4, columns, sourceRows: 12 } },
    { params: { rows: 9, columns, sourceRows: 27 } },
  ]),
  { params: { rows: 3, columns: 33, sourceRows: 3 } },
  { params: { rows: 1, columns: 301, sourceRows: 64 } },
  { params: { rows: 4, columns: 257, sourceRows: 64 } },
  { params: { rows: 1, columns: 49152, sourceRows: 2 } },
];

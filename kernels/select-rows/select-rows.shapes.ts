import type { SampleOf } from "../kernel.ts";
import type { selectRows } from "./select-rows.ts";

/** Where `select-rows` is tested. */
export const shapes: readonly SampleOf<typeof selectRows>[] = [1, 3, 4, 5, 32, 37, 576].flatMap((dim) => [
  { params: { rows: 1, dim, sourceRows: 1 } },
  { params: { rows: 3, dim, sourceRows: 7 } },
  { params: { rows: 7, dim, sourceRows: 2 } },
]);

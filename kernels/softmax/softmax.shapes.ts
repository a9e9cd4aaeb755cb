import type { SampleOf } from "../kernel.ts";
import type { softmax } from "./softmax.ts";

/** Where `softmax` is tested; every third row of its inputs is masked in part. */
export const shapes: readonly SampleOf<typeof softmax>[] = [1, 2, 3, 4, 5, 31, 32, 33, 127, 512, 1021].flatMap(
  (columns) => [1, 2, 7].map((rows) => ({ params: { rows, columns } })),
);

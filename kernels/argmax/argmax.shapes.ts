import type { SampleOf } from "../kernel.ts";
import type { argmax } from "./argmax.ts";

/** Where `argmax` is tested: ties are common in its inputs, and rows three to six of nine have no largest number. */
export const shapes: readonly SampleOf<typeof argmax>[] = [1, 2, 3, 4, 5, 63, 64, 65, 257, 1021, 49152].flatMap(
  (columns) => (columns < 2000 ? [1, 2, 9] : [4]).map((rows) => ({ params: { rows, columns } })),
);

import type { SampleOf } from "../kernel.ts";
import type { normalize } from "./normalize.ts";

/** Where `normalize` is tested. */
export const shapes: readonly SampleOf<typeof normalize>[] = [1, 2, 3, 4, 5, 31, 32, 33, 127, 128, 129, 576].flatMap(
  (dim) => [1, 2, 7].flatMap((rows) => [0, 1].map((centered) => ({ params: { rows, dim, epsilon: 1e-5, centered } }))),
);

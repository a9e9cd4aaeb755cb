import type { SampleOf } from "../kernel.ts";
import type { layerNorm } from "./layer-norm.ts";

/** Where `layer-norm` is tested. */
export const shapes: readonly SampleOf<typeof layerNorm>[] = [1, 2, 3, 4, 5, 31, 32, 33, 127, 128, 129, 576].flatMap(
  (dim) =>
    [1, 2, 7].flatMap((rows) => [
      { params: { rows, dim, epsilon: 1e-5 } },
      { params: { rows, dim, epsilon: 1e-5 }, absent: ["bias" as const] },
    ]),
);

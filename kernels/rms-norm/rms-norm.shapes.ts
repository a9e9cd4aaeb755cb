import type { SampleOf } from "../kernel.ts";
import type { rmsNorm } from "./rms-norm.ts";

/** Where `rms-norm` is tested. */
export const shapes: readonly SampleOf<typeof rmsNorm>[] = [1, 2, 3, 4, 5, 31, 32, 33, 127, 128, 129, 576].flatMap(
  (dim) =>
    [1, 2, 7].flatMap((rows) => [
      { params: { rows, dim, epsilon: 1e-5, weightOffset: 0 }, absent: ["residual" as const] },
      { params: { rows, dim, epsilon: 1e-6, weightOffset: 1 } },
    ]),
);

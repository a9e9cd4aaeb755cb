import type { SampleOf } from "../kernel.ts";
import type { logSumExp } from "./log-sum-exp.ts";

/** Where `log-sum-exp` is tested; rows three to six of nine have no sum. */
export const shapes: readonly SampleOf<typeof logSumExp>[] = [1, 2, 3, 4, 5, 255, 256, 257, 49152].flatMap((columns) =>
  (columns < 2000 ? [1, 3, 9] : [4]).flatMap((rows) =>
    [0, 1].map((wantsSum) => ({ params: { rows, columns, wantsSum } })),
  ),
);

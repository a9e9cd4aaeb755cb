import type { SampleOf } from "../kernel.ts";
import type { scaleShift } from "./scale-shift.ts";

/** Where `scale-shift` is tested. */
export const shapes: readonly SampleOf<typeof scaleShift>[] = [1, 3, 4, 5, 31, 32, 33, 576].flatMap((dim) =>
  [1, 2, 7].flatMap((rows) => [
    { params: { rows, dim, weightOffset: 0 } },
    { params: { rows, dim, weightOffset: 1 }, absent: ["bias" as const] },
  ]),
);

import type { SampleOf } from "../kernel.ts";
import type { add } from "./add.ts";

/** Where `add` is tested. */
export const shapes: readonly SampleOf<typeof add>[] = [1, 3, 4, 5, 31, 32, 33, 576].flatMap((dim) =>
  [1, 2, 7].map((rows) => ({ params: { rows, dim } })),
);

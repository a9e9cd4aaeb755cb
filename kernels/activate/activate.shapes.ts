import { ACTIVATIONS } from "../activation.ts";
import type { SampleOf } from "../kernel.ts";
import type { activate } from "./activate.ts";

/** Where `activate` is tested: every activation, alone and gated. */
export const shapes: readonly SampleOf<typeof activate>[] = Object.values(ACTIVATIONS).flatMap((activation) =>
  [1, 3, 4, 5, 32, 37, 1536].flatMap((dim) => [
    { params: { rows: 1, dim, activation } },
    { params: { rows: 3, dim, activation }, absent: ["up" as const] },
  ]),
);

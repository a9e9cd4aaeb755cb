import type { SampleOf } from "../kernel.ts";
import type { embed } from "./embed.ts";

const whole = { vocabSize: 21, tableBegin: 0, tableEnd: 21, contextLength: 0, vectorCount: 0, scale: 1 };

/** Where `embed` is tested: whole tables and pieces, with and without positions and the caller's vectors. */
export const shapes: readonly SampleOf<typeof embed>[] = [1, 3, 4, 5, 24, 31, 32, 33, 576].flatMap((dim) =>
  [1, 2, 9].flatMap((rows) => [
    { params: { ...whole, rows, dim }, absent: ["positionTable" as const, "vectors" as const] },
    { params: { ...whole, rows, dim, contextLength: 5, scale: 1.5 }, absent: ["vectors" as const] },
    { params: { ...whole, rows, dim, tableBegin: 8, tableEnd: 17, contextLength: 5, vectorCount: 3 } },
    { params: { ...whole, rows, dim, tableEnd: 16, vectorCount: 8, scale: 0.5 }, absent: ["positionTable" as const] },
  ]),
);

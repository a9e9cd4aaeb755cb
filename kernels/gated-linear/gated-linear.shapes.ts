import { ACTIVATIONS } from "../activation.ts";
import type { SampleOf } from "../kernel.ts";
import type { gatedLinear } from "./gated-linear.ts";

type Shape = SampleOf<typeof gatedLinear>;

function plain(rows: number, inputs: number, outputs: number): Shape {
  const params = { rows, inputs, outputs, outputBegin: 0, outputStride: outputs, activation: ACTIVATIONS.silu };
  return { params, absent: ["gateBias", "upBias"] };
}

/** Where `gated-linear` is tested: around every block size, every activation, pieces, and a 135 M-parameter Llama's shape. */
export const shapes: readonly Shape[] = [
  ...[1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 17, 31].map((rows) => plain(rows, 37, 29)),
  ...[1, 3, 4, 5, 31, 32, 33, 64, 65, 257].flatMap((inputs) => [plain(1, inputs, 9), plain(7, inputs, 16)]),
  ...[1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 65].flatMap((outputs) => [
    plain(1, 40, outputs),
    plain(3, 32, outputs),
    plain(9, 36, outputs),
  ]),
  ...[1, 4, 7].flatMap((rows) =>
    Object.values(ACTIVATIONS).flatMap((activation) =>
      ([["gateBias", "upBias"], ["upBias"], ["gateBias"], []] as const).map((absent) => ({
        params: { rows, inputs: 24, outputs: 21, outputBegin: 0, outputStride: 21, activation },
        absent,
      })),
    ),
  ),
  ...[1, 3, 8].flatMap((rows) =>
    [0, 1, 8, 16].map((outputBegin) => ({
      params: { rows, inputs: 33, outputs: 19, outputBegin, outputStride: 40, activation: ACTIVATIONS.silu },
    })),
  ),
  ...[25, 33, 64, 65].flatMap((rows) => [plain(rows, 32, 5), plain(rows, 96, 35)]),
  plain(26, 36, 70),
  ...[5, 8, 9, 15, 16, 17, 32, 33].map((rows) => plain(rows, 36, 23)),
  ...[1, 2, 3, 4].flatMap((rows) => [plain(rows, 32, 3), plain(rows, 288, 33)]),
  ...[1, 2, 31].map((rows) => ({ params: { ...plain(rows, 64, 19).params, outputBegin: 8, outputStride: 40 } })),
  ...[1, 2, 7].map((rows) => plain(rows, 576, 1536)),
];

import { ACTIVATIONS } from "../activation.ts";
import type { SampleOf } from "../kernel.ts";
import type { linear } from "./linear.ts";

type Shape = SampleOf<typeof linear>;

/** A call whose outputs are all of the result. */
function plain(rows: number, inputs: number, outputs: number): Shape {
  const params = { rows, inputs, outputs, outputBegin: 0, outputStride: outputs };
  return { params: { ...params, activation: ACTIVATIONS.none, softcap: 0 }, absent: ["bias", "residual"] };
}

const rowCounts = [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 16, 17, 19, 31, 33];

/** Where `linear` is tested: around every block size, every epilogue, and a 135 M-parameter Llama's own shapes. */
export const shapes: readonly Shape[] = [
  // around blocks of rows, inputs and outputs
  ...rowCounts.map((rows) => plain(rows, 37, 29)),
  ...[1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 63, 64, 65, 127, 257].flatMap((inputs) => [
    plain(1, inputs, 9),
    plain(4, inputs, 16),
    plain(7, inputs, 8),
  ]),
  ...[1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 131].flatMap((outputs) => [
    plain(1, 40, outputs),
    plain(3, 32, outputs),
    plain(9, 36, outputs),
  ]),
  // every epilogue
  ...[1, 4, 7].flatMap((rows) =>
    Object.values(ACTIVATIONS).flatMap((activation) =>
      [0, 1.5].flatMap((softcap) =>
        ([["bias", "residual"], ["bias"], ["residual"], []] as const).map((absent) => {
          const params = { rows, inputs: 24, outputs: 21, outputBegin: 0, outputStride: 21, activation, softcap };
          return { params, absent };
        }),
      ),
    ),
  ),
  // a piece of a wider result, as a matrix split by rows makes them
  ...[1, 3, 8].flatMap((rows) =>
    [0, 1, 8, 16].map((outputBegin) => {
      const params = { rows, inputs: 33, outputs: 19, outputBegin, outputStride: 40, activation: 0, softcap: 0 };
      return { params };
    }),
  ),
  // many rows, and whole groups of 32 inputs
  ...[25, 32, 33, 49, 64, 65, 70].flatMap((rows) => [plain(rows, 32, 5), plain(rows, 96, 67)]),
  plain(26, 36, 130),
  ...[5, 6, 8, 9, 13, 15, 16, 17, 31, 32, 33].map((rows) => plain(rows, 36, 43)),
  // more rows than are packed at once
  plain(70, 2600, 9),
  ...[1, 2, 3, 4].flatMap((rows) => [plain(rows, 32, 3), plain(rows, 288, 33), plain(rows, 1056, 7)]),
  { params: { ...plain(31, 64, 19).params, outputBegin: 8, outputStride: 40 } },
  { params: { ...plain(2, 64, 19).params, outputBegin: 8, outputStride: 40 } },
  { params: { ...plain(1, 64, 19).params, outputBegin: 8, outputStride: 40 } },
  // SmolLM2-135M: q, k and v; the projections back
  ...[1, 2, 7].map((rows) => plain(rows, 576, 960)),
  { params: { ...plain(3, 576, 576).params }, absent: ["bias"] },
  { params: { ...plain(2, 1536, 576).params }, absent: ["bias"] },
];

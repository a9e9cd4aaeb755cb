// The operations that are compared: a chain of products with square matrices, the same numbers for every contender. A
// matrix of its own for each link, as layers of a model have: weights come from memory, and the cost of starting a run is
// spread over the chain.

import { seededRandom } from "kedge/kernels";

/** Inputs and outputs of each product. */
export const SIZE = 1024;
/** Rows of x by work. */
export const ROWS = { gemm: 256, row: 1 } as const;
/** Products in a chain: of one row as many as a step of a small model has layers' matrices, so that little of the time goes into starting it. */
export const LINKS = { gemm: 8, row: 48 } as const;
/** A round lasts at least this long. */
export const ROUND_SECONDS = 1;
/** Rows whose results are checked. */
const CHECKED_ROWS = 2;

/** One of the two kinds of operation, with its numbers. */
export interface Operation {
  readonly rows: number;
  /** [rows, SIZE] */
  readonly x: Float32Array;
  /** each [outputs, inputs], row-major */
  readonly weights: readonly Float32Array[];
  /** multiplications and additions of the whole chain */
  readonly operations: number;
}

/** The numbers of a work: "gemm", "row", and those of the same on WebGPU. */
export function operationOf(work: string): Operation {
  const kind = work.startsWith("gemm") ? "gemm" : "row";
  const random = seededRandom(7);
  const normal = (length: number, scale: number) => Float32Array.from({ length }, () => random.normal() * scale);
  const rows = ROWS[kind];
  const x = normal(rows * SIZE, 1);
  // So scaled, the numbers neither grow nor shrink along the chain.
  const weights = Array.from({ length: LINKS[kind] }, () => normal(SIZE * SIZE, SIZE ** -0.5));
  return { rows, x, weights, operations: 2 * rows * SIZE * SIZE * LINKS[kind] };
}

function multiply(weight: Float32Array, x: Float64Array): Float64Array {
  return Float64Array.from({ length: SIZE }, (_, output) => {
    let sum = 0;
    for (let i = 0; i < SIZE; i++) sum += weight[output * SIZE + i]! * x[i]!;
    return sum;
  });
}

/** |y - reference| / |reference| over the first and the last row; the reference is computed in f64. */
export function deviationOf({ rows, x, weights }: Operation, y: ArrayLike<number>): number {
  if (y.length !== rows * SIZE) throw new RangeError(`the result has ${y.length} numbers, not ${rows * SIZE}`);
  let difference = 0;
  let size = 0;
  for (const row of [0, rows - 1].slice(0, CHECKED_ROWS)) {
    let wanted = Float64Array.from(x.subarray(row * SIZE, (row + 1) * SIZE));
    for (const weight of weights) wanted = multiply(weight, wanted) as Float64Array<ArrayBuffer>;
    for (const [i, value] of wanted.entries()) {
      difference += (y[row * SIZE + i]! - value) ** 2;
      size += value ** 2;
    }
  }
  return Math.sqrt(difference / size);
}

/** GFLOP/s of running the chain again and again for a round. */
export async function timeChain({ operations }: Operation, run: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  let seconds = 0;
  let runs = 0;
  do {
    await run();
    runs++;
    seconds = (performance.now() - begin) / 1000;
  } while (seconds < ROUND_SECONDS);
  return (operations * runs) / seconds / 1e9;
}

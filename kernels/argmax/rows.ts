// Rows of numbers from which something is to be chosen, for tests: sound ones, and ones that have no largest number.

import type { Random } from "../kernel.ts";

/** What is wrong with a row, by its place in turns of nine; the others are sound. */
const FAULTS = [undefined, undefined, NaN, -NaN, Infinity, -Infinity, undefined, undefined, undefined] as const;
/** In this row of each turn some numbers are -Infinity, which is allowed. */
const MASKED = 6;

/** [rows, columns] numbers. In the third and fourth row one is NaN, in the fifth Infinity, the sixth is all -Infinity; and again. */
export function rowsToChooseFrom(rows: number, columns: number, number: () => number, random: Random): Float32Array {
  const x = Float32Array.from({ length: rows * columns }, number);
  const bits = new Uint32Array(x.buffer);
  for (let row = 0; row < rows; row++) {
    const line = x.subarray(row * columns, (row + 1) * columns);
    const turn = row % FAULTS.length;
    const fault = FAULTS[turn];
    const at = random.integer(columns);
    if (fault === -Infinity) line.fill(fault);
    else if (fault !== undefined) line[at] = fault;
    // the NaN of 0 · Infinity on x86 has a sign
    if (turn === 3) bits[row * columns + at] = 0xffc00000;
    if (turn === MASKED) for (let i = 0; i < columns - 1; i += 2) line[i] = -Infinity;
  }
  return x;
}

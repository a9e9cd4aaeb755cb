import { defineKernel, type Floats, type Random } from "../kernel.ts";
import { logSumExp } from "../log-sum-exp/log-sum-exp.ts";
import { gpu } from "./on-gpu.ts";
import { wasm } from "./on-wasm.ts";

/**
 * How `combine-rows` combines a range of rows, as numbers that it is given: `none` copies the first row; the others scale the factors of
 * the further rows by 1, by p(column) / max p, or by max p, with p the probabilities of the first row.
 */
export const COMBINING_RULES = { none: 0, constant: 1, probability: 2, confidence: 3 } as const;

/** Numbers that `combine-rows` is given of each range: where it begins and ends, and its rule. */
export const COMBINED_WORDS = 3;

/**
 * The combined logits of ranges of rows, Selective Prompt Anchoring's (arXiv 2408.09121): with l the log-softmax of the first row of a
 * range begin..end and l_k that of row k,
 *
 *     y = l + Σ_k f_k (l - l_k)        k = begin + 1 .. end - 1, f_k scaled as the range's rule says
 *
 * x [sourceRows, columns], sums [sourceRows, 2] (those of `log-sum-exp`), ranges [rows, 3], factors [sourceRows] (the first row's is not
 * read), y [rows, columns]. A row of factor 0 is not read. Where the first row has -Infinity, so has y; where another row has it and the
 * first has not, y is -Infinity for a factor below 0, else that row's term is left out. y is NaN in a range that has a row without
 * a sum, but for `none`.
 */
export const combineRows = defineKernel({
  name: "combine-rows",
  buffers: { x: "read", sums: "read", ranges: "read u32", factors: "read", y: "write" },
  params: { rows: "u32", columns: "u32", sourceRows: "u32" },
  sizes: ({ rows, columns, sourceRows }) => ({
    x: sourceRows * columns,
    sums: sourceRows * 2,
    ranges: rows * COMBINED_WORDS,
    factors: sourceRows,
    y: rows * columns,
  }),
  reference({ x, sums, ranges, factors, y }, { rows, columns }) {
    for (let row = 0; row < rows; row++) {
      const [begin, end, rule] = ranges.subarray(row * COMBINED_WORDS) as unknown as [number, number, number];
      const line = y.subarray(row * columns, (row + 1) * columns);
      if (rule === COMBINING_RULES.none) {
        line.set(x.subarray(begin * columns, (begin + 1) * columns));
        continue;
      }
      const [largest, whole] = [sums[begin * 2]!, sums[begin * 2 + 1]!];
      const scale = rule === COMBINING_RULES.confidence ? Math.exp(largest - whole) : 1;
      const isSound = !Number.isNaN(whole) && haveSums(sums, factors, begin + 1, end);
      for (let column = 0; column < columns; column++) {
        const logit = x[begin * columns + column]!;
        const plain = logit - whole;
        const share = rule === COMBINING_RULES.probability ? Math.exp(logit - largest) : scale;
        let sum = plain;
        for (let k = begin + 1; k < end; k++) {
          if (factors[k] === 0) continue;
          const factor = factors[k]! * share;
          const other = x[k * columns + column]! - sums[k * 2 + 1]!;
          if (other !== -Infinity) sum += factor * (plain - other);
          else if (!(factor >= 0)) sum += factor * Infinity;
        }
        line[column] = !isSound ? Number.NaN : logit === -Infinity ? logit : sum;
      }
    }
  },
  // f32 rounds each term, which is about 10; the exponential of `probability` is good to 3e-6
  bound: ({ sourceRows }) => ({ absolute: 2e-5 * Math.sqrt(sourceRows), relative: 1e-5 }),
  inputs: ({ rows, columns, sourceRows }, random) => randomRanges(rows, columns, sourceRows, random),
  // the rules one after the other; of nine ranges the fourth, sixth and seventh have a row without a sum
  samples: [
    { params: { rows: 9, columns: 37, sourceRows: 27 } },
    { params: { rows: 1, columns: 261, sourceRows: 2 } },
    { params: { rows: 4, columns: 3, sourceRows: 4 } },
  ],
  implementations: [...wasm, ...gpu],
});

/** Whether the rows of factors other than 0 have sums. */
function haveSums(sums: Floats, factors: Floats, begin: number, end: number): boolean {
  for (let k = begin; k < end; k++) if (factors[k] !== 0 && Number.isNaN(sums[k * 2 + 1])) return false;
  return true;
}

/** What is wrong with one row of a range, by the range's place in turns of eight. */
const FAULTS: readonly (number | undefined)[] = [undefined, undefined, undefined, NaN, undefined, Infinity, -Infinity];

/** Ranges of about equal lengths, their rules in turn; in every fifth row half of the numbers are -Infinity, which is allowed. */
function randomRanges(rows: number, columns: number, sourceRows: number, random: Random) {
  const x = Float32Array.from({ length: sourceRows * columns }, () => random.normal() * 4);
  const ranges = new Uint32Array(rows * COMBINED_WORDS);
  for (let k = 4; k < sourceRows; k += 5) for (let i = 1; i < columns; i += 2) x[k * columns + i] = -Infinity;
  for (let row = 0; row < rows; row++) {
    const [begin, end] = [row, row + 1].map((at) => Math.floor((at * sourceRows) / rows)) as [number, number];
    ranges.set([begin, end, (row + 1) % 4], row * COMBINED_WORDS);
    const fault = FAULTS[row % 8];
    const first = (begin + random.integer(end - begin)) * columns;
    if (fault === -Infinity) x.fill(fault, first, first + columns);
    else if (fault !== undefined) x[first + random.integer(columns)] = fault;
  }
  const sums = new Float32Array(sourceRows * 2);
  logSumExp.reference({ x, y: sums }, { rows: sourceRows, columns, wantsSum: 1 });
  // in one of five rows 0
  const factor = () => (random.integer(5) === 0 ? 0 : random.normal() / Math.sqrt(sourceRows / rows));
  return { x, sums, ranges, factors: Float32Array.from({ length: sourceRows }, factor) };
}

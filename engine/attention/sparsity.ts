// Sparsity of attention: the study behind anchor attention (AnchorCoder, arXiv 2411.06680), from captured patterns.
// Each row gives two numbers: its Gini coefficient, 0 for even attention and near 1 if one key receives all, and the mass of its two
// largest weights.

import { checkOptions, wholeNumbers } from "../options.ts";
import { forEachRow, ROW_OPTIONS, type AttentionPattern, type RowOptions } from "./pattern.ts";
import { summarize, type Summary } from "./summary.ts";

/** Rows that see fewer keys are left out of the study. */
export const STUDIED_KEYS = 32;

/**
 * The Gini coefficient of weights >= 0: sum over k of (2k - n - 1) · a_(k) / (n · sum of a), with a in ascending order and
 * k = 1..n. From 0 (all equal) to (n - 1) / n (one has all). NaN for no weights, or none above 0.
 */
export function gini(weights: ArrayLike<number>): number {
  const sorted = Float64Array.from(weights).sort();
  const n = sorted.length;
  let [ranked, total] = [0, 0];
  for (let k = 1; k <= n; k++) {
    ranked += (2 * k - n - 1) * sorted[k - 1]!;
    total += sorted[k - 1]!;
  }
  return ranked / (n * total);
}

const sum = (weights: Float64Array): number => weights.reduce((total, weight) => total + weight, 0);

/** The share of the `count` largest weights (2 unless told) in their sum. NaN for no weights, or none above 0. */
export function topMass(weights: ArrayLike<number>, count = 2): number {
  const sorted = Float64Array.from(weights).sort();
  return sum(sorted.subarray(Math.max(0, sorted.length - count))) / sum(sorted);
}

/** Sparsity of some rows: null where no row qualifies. */
export interface Sparsity {
  readonly gini: Summary | null;
  readonly topMass: Summary | null;
}

/** Sparsity of one layer. */
export interface LayerSparsity extends Sparsity {
  /** [heads, rows] of the pattern; NaN for rows left out */
  readonly giniOfRows: Float64Array;
  /** [heads, rows]: the mass of the two largest weights; NaN for rows left out */
  readonly topMassOfRows: Float64Array;
  readonly heads: readonly Sparsity[];
}

/** Sparsity of a layer's pattern, by head and in all. `minKeys` is {@link STUDIED_KEYS} unless told. */
export function sparsityOf(pattern: AttentionPattern, options: RowOptions = {}): LayerSparsity {
  checkOptions("sparsityOf", options, ROW_OPTIONS);
  wholeNumbers("sparsityOf", { minKeys: options.minKeys }, 0);
  const [heads = 0, rows = 0] = pattern.shape;
  const giniOfRows = new Float64Array(heads * rows).fill(NaN);
  const topMassOfRows = new Float64Array(heads * rows).fill(NaN);
  forEachRow(pattern, { minKeys: STUDIED_KEYS, ...options }, ({ head, row, weights }) => {
    giniOfRows[head * rows + row] = gini(weights);
    topMassOfRows[head * rows + row] = topMass(weights);
  });
  const part = (begin: number, end: number): Sparsity => ({
    gini: summarize(giniOfRows.subarray(begin, end)),
    topMass: summarize(topMassOfRows.subarray(begin, end)),
  });
  return {
    ...part(0, heads * rows),
    giniOfRows,
    topMassOfRows,
    heads: Array.from({ length: heads }, (_, head) => part(head * rows, (head + 1) * rows)),
  };
}

// The share of attention that a set of keys receives: the prompt (attention dilution, the motivation of Selective Prompt Anchoring, arXiv
// 2408.09121), a group of anchored tokens, one class of tokens.

import { checkOptions, wholeNumbers } from "../options.ts";
import { forEachRow, ROW_OPTIONS, type AttentionPattern, type RowOptions } from "./pattern.ts";

/**
 * [rows]: the share of each row's attention that the chosen keys get, sum over them / sum over all, mean over the heads; NaN
 * for rows left out or without attention. `isChosen` is asked by column of the pattern.
 */
export function shareOfKeys(
  pattern: AttentionPattern,
  isChosen: (column: number) => boolean,
  options: RowOptions = {},
): Float64Array {
  const [, rows = 0, keys = 0] = pattern.shape;
  const chosen = Uint8Array.from({ length: keys }, (_, column) => Number(isChosen(column)));
  const sums = new Float64Array(rows);
  const heads = new Float64Array(rows);
  forEachRow(pattern, options, ({ row, weights, columns, total }) => {
    let share = 0;
    for (let i = 0; i < weights.length; i++) if (chosen[columns[i]!] === 1) share += weights[i]!;
    sums[row]! += share / total;
    heads[row]!++;
  });
  return sums.map((sum, row) => sum / heads[row]!);
}

/** Which layers and rows {@link attentionDilution} looks at. */
export interface DilutionOptions extends RowOptions {
  /** indices into the patterns given; default the last one, as in the paper */
  readonly layers?: readonly number[];
}

/**
 * Attention dilution: [rows], the share of each query's attention that the prompt's tokens (positions below `promptLength`)
 * get, mean over the heads and over the chosen layers, by default the last one. The rows of generated tokens are those to
 * look at: share_t falls as the text grows. Throws a RangeError for layers that are not there or have other rows.
 */
export function attentionDilution(
  patterns: readonly AttentionPattern[],
  promptLength: number,
  options: DilutionOptions = {},
): Float64Array {
  checkOptions("attentionDilution", options, { ...ROW_OPTIONS, layers: true });
  wholeNumbers("attentionDilution", { minKeys: options.minKeys, promptLength }, 0);
  const { layers = [patterns.length - 1], ...rowOptions } = options;
  const { keyPositions } = rowOptions;
  const isPrompt = (column: number) => (keyPositions ? keyPositions[column]! : column) < promptLength;
  const shares = layers.map((layer) => {
    const pattern = patterns[layer];
    if (!pattern) throw new RangeError(`layer ${layer} is not among the ${patterns.length} patterns given`);
    return shareOfKeys(pattern, isPrompt, rowOptions);
  });
  const rows = shares[0]?.length ?? 0;
  for (const [i, { length }] of shares.entries()) {
    if (length !== rows) {
      throw new RangeError(`layer ${layers[i]} has ${length} rows and layer ${layers[0]} has ${rows}; they must agree`);
    }
  }
  return Float64Array.from(
    { length: rows },
    (_, row) => shares.reduce((sum, share) => sum + share[row]!, 0) / shares.length,
  );
}

// Reads rows of attention patterns, for studies. A pattern is [heads, rows, keys]: the weights of each query over its keys,
// as `model.forward(..., { capture: ["blocks.*.attn.hook_pattern"] })` captures them. A row here is only the keys that its query
// may see: hidden keys have a weight of 0 that says nothing, and would make any row look sparse.

import type { OptionNames } from "../options.ts";

/** A captured pattern. */
export interface AttentionPattern {
  /** [heads, rows, keys] */
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Which rows and keys to look at. */
export interface RowOptions {
  /** rows that see fewer keys are left out; each function documents its default */
  readonly minKeys?: number;
  /** the rows to look at; default all */
  readonly rows?: readonly number[];
  /** [rows] positions of the queries; default the last of as many positions as there are keys */
  readonly rowPositions?: ArrayLike<number>;
  /** [keys] positions of the keys; default 0, 1, ... To be given for lists with evicted keys and for two sources of keys. */
  readonly keyPositions?: ArrayLike<number>;
  /** tells whether a row sees a key, in addition to key position <= row position; needed for anchors and windows; true by default */
  readonly isVisible?: (row: number, key: number) => boolean;
}

/** The options of rows by name. */
export const ROW_OPTIONS: OptionNames<RowOptions> = {
  minKeys: true,
  rows: true,
  rowPositions: true,
  keyPositions: true,
  isVisible: true,
};

/** One row of one head. The arrays are good until the next row comes. */
export interface AttentionRow {
  readonly head: number;
  readonly row: number;
  /** [n] weights of the keys that the query may see */
  readonly weights: Float64Array;
  /** [n] their columns in the pattern */
  readonly columns: Uint32Array;
  /** sum of the weights, above 0 */
  readonly total: number;
}

/**
 * Calls `visit` with each row, by head and then by row, that sees at least `minKeys` keys (1 unless told) and gives them any
 * weight at all. Throws a RangeError for a pattern whose shape is not [heads, rows, keys] or does not fit its data, for
 * positions of another count, for rows that are not there, and for weights that are no numbers >= 0.
 */
export function forEachRow(
  { shape, data }: AttentionPattern,
  options: RowOptions,
  visit: (row: AttentionRow) => void,
): void {
  const [heads = 0, rows = 0, keys = 0] = shape;
  if (shape.length !== 3 || heads * rows * keys !== data.length) {
    throw new RangeError(
      `a pattern of shape [${shape.join(",")}] has ${data.length} weights; wanted [heads, rows, keys] and their product`,
    );
  }
  const { minKeys = 1, isVisible } = options;
  const rowPositions = positionsOf("rows", rows, options.rowPositions, keys - rows);
  const keyPositions = positionsOf("keys", keys, options.keyPositions, 0);
  const wanted = options.rows ?? Array.from({ length: rows }, (_, row) => row);
  for (const row of wanted) {
    if (!(Number.isInteger(row) && row >= 0 && row < rows)) {
      throw new RangeError(`row ${row} is not in a pattern with ${rows} rows`);
    }
  }
  const [weights, columns] = [new Float64Array(keys), new Uint32Array(keys)];
  for (let head = 0; head < heads; head++) {
    for (const row of wanted) {
      let [count, total] = [0, 0];
      for (let key = 0; key < keys; key++) {
        if (keyPositions[key]! > rowPositions[row]! || isVisible?.(row, key) === false) continue;
        const weight = data[(head * rows + row) * keys + key]!;
        if (!(weight >= 0)) throw new RangeError(`head ${head}, row ${row}, key ${key}: ${weight} is no weight >= 0`);
        weights[count] = weight;
        columns[count++] = key;
        total += weight;
      }
      if (count < minKeys || total === 0) continue;
      visit({ head, row, weights: weights.subarray(0, count), columns: columns.subarray(0, count), total });
    }
  }
}

function positionsOf(
  what: string,
  count: number,
  given: ArrayLike<number> | undefined,
  first: number,
): ArrayLike<number> {
  if (given === undefined) return Array.from({ length: count }, (_, i) => first + i);
  if (given.length === count) return given;
  throw new RangeError(`the pattern has ${count} ${what}; ${given.length} positions were given`);
}

// The amount of work in a call of attention: pairs of a row and a key that it sees, and keys that any row sees. Both follow from the
// lists; without lists every row counts as seeing every entry.

import { numberBytes, type CostSetting } from "../cost.ts";
import type { Inputs } from "../kernel.ts";
import type { AttentionParams } from "./params.ts";
import { isVisible } from "./visible.ts";

/** Operations of a score in addition to its dot product: scale, bias, comparison, exponential, sum. */
export const SCORE_FLOPS = 5;

/** What is computed with, of each kind. */
export interface AttentionWork {
  readonly pairs: number;
  readonly keys: number;
}
type ListParams = Pick<AttentionParams, "rows" | "list" | "entryCount">;

/** Bytes of one list's ranges and of all entries. */
export function listBytes({ rows, entryCount }: ListParams): number {
  return numberBytes(4 * (rows + entryCount));
}

/** Every key of a row's range counts. */
export function rangedWork(params: ListParams, inputs?: Inputs): AttentionWork {
  return count(params, inputs, () => 1);
}

/** Visible keys count, and with a second source its anchors too. */
export function attendedWork(params: AttentionParams, { present }: CostSetting, inputs?: Inputs): AttentionWork {
  const { rows, list } = params;
  return count(params, inputs, (row, entry, ranges, entries) => {
    const at = (list * rows + row) * 4;
    const [position, mark] = [ranges[at + 2]!, ranges[at + 3]!];
    const [keyPosition, keyMark] = [entries[entry * 4 + 1]!, entries[entry * 4 + 2]!];
    const isAnchor = present.has("sourceCache") && (keyMark & 1) === 1 && keyPosition <= position;
    return Number(isVisible(params, position, mark, keyPosition, keyMark)) + Number(isAnchor);
  });
}

type Seen = (row: number, entry: number, ranges: Lists, entries: Lists) => number;
type Lists = NonNullable<Inputs[string]>;

function count({ rows, list, entryCount }: ListParams, inputs: Inputs | undefined, seen: Seen): AttentionWork {
  const [ranges, entries] = [inputs?.["ranges"], inputs?.["entries"]];
  if (!ranges || !entries) return { pairs: rows * entryCount, keys: entryCount };
  const most = new Uint8Array(entryCount);
  let pairs = 0;
  for (let row = 0; row < rows; row++) {
    const at = (list * rows + row) * 4;
    for (let entry = ranges[at]!; entry < ranges[at + 1]!; entry++) {
      const times = seen(row, entry, ranges, entries);
      pairs += times;
      most[entry] = Math.max(most[entry]!, times);
    }
  }
  return { pairs, keys: most.reduce((sum, times) => sum + times, 0) };
}

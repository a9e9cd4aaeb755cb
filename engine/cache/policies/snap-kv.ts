import { checkOptions } from "../../options.ts";
import { budgetText, checkBudget, keysOf, type Budget } from "./budget.ts";
import { DENSE_RULE, type ChooserPolicy, type KeyView } from "./policy.ts";
import { checkPool, checkWindow, keepLargest, statisticOf } from "./best-keys.ts";

/** What {@link snapKv} takes. */
export interface SnapKvOptions {
  /** keys to keep of the prompt, the window among them; a share is at least one key more than the window */
  readonly budget: Budget;
  /** last queries of the prompt whose attention decides, and whose keys stay; default 32 */
  readonly window?: number | undefined;
  /** width of the average pooling, odd; default 5 */
  readonly pool?: number | undefined;
}

export const SNAP_KV_DEFAULTS = { window: 32, pool: 5 } as const;

/**
 * Once, at the prompt's end: keeps the keys of the last `window` tokens and, of those before, the ones with the most attention
 * from these queries, averaged with their neighbors (SnapKV, arXiv 2404.14469), `budget` keys in all. Keys that come later
 * all stay. Differs from the paper: the heads of a layer share one list and their mean decides. Throws a RangeError unless
 * the budget is a share or above `window`, `window` is a whole number >= 1 and `pool` an odd one.
 */
export function snapKv(options: SnapKvOptions): ChooserPolicy {
  checkOptions("snap-kv", options, { budget: true, window: true, pool: true });
  const { window = SNAP_KV_DEFAULTS.window, pool = SNAP_KV_DEFAULTS.pool } = options;
  const budget = checkBudget("snap-kv", options.budget);
  checkWindow("snap-kv", window, budget);
  checkPool("snap-kv", pool);
  const changed = [
    ...(window === SNAP_KV_DEFAULTS.window ? [] : [`,window=${window}`]),
    ...(pool === SNAP_KV_DEFAULTS.pool ? [] : [`,pool=${pool}`]),
  ];
  return {
    name: `snap-kv:${budgetText(budget)}${changed.join("")}`,
    rule: DENSE_RULE,
    isPerLayer: true,
    keepsPrompt: true,
    statistics: ["observed"],
    observedQueries: window,
    budget: (_layer, _layers, promptLength) => keysOf(budget, promptLength, window + 1),
    keep(view) {
      if (!view.isPromptEnd) return null;
      return keepObserved("snap-kv", view, keysOf(budget, view.promptLength, window + 1), window, pool);
    },
  };
}

/**
 * The last `window` keys and the `budget - window` others with the most pooled attention of the statistic "observed"; null
 * where all fit.
 */
export function keepObserved(
  policy: string,
  view: KeyView,
  budget: number,
  window: number,
  pool: number,
): Uint32Array | null {
  const keys = view.positions.length;
  if (keys <= budget) return null;
  const before = keys - window;
  const pooled = averagePool(statisticOf(policy, view, "observed").subarray(0, before), pool);
  return keepLargest(pooled, budget - window, before, keys);
}

/** Means over `pool` (odd) neighbors, stride 1. Past the ends are zeros that count, as in the authors' `avg_pool1d`. */
export function averagePool(values: ArrayLike<number>, pool: number): Float64Array {
  const half = (pool - 1) / 2;
  return Float64Array.from({ length: values.length }, (_, middle) => {
    let sum = 0;
    for (let i = Math.max(0, middle - half); i <= Math.min(values.length - 1, middle + half); i++) sum += values[i]!;
    return sum / pool;
  });
}

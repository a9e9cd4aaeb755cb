import { UNMASKED, type CachePolicy, type KeyView } from "./policy.ts";
import { checkPool, checkWindow, keepLargest, statisticOf, wholeNumber } from "./selection.ts";

/** Settings of {@link snapKv}. */
export interface SnapKvOptions {
  /** keys to keep of the prompt, the window among them */
  readonly budget: number;
  /** last queries of the prompt whose attention decides, and whose keys stay; default 32 */
  readonly window?: number;
  /** width of the average pooling, odd; default 5 */
  readonly pool?: number;
}

export const SNAP_KV_DEFAULTS = { window: 32, pool: 5 } as const;

/**
 * Once, at the prompt's end: keeps the keys of the last `window` tokens and, of those before, the ones with the most attention
 * from these queries, averaged with their neighbors (SnapKV, arXiv 2404.14469), `budget` keys in all. Keys that come later
 * all stay. Differs from the paper: the heads of a layer share one list and their mean decides. Throws a RangeError unless
 * `budget` is a whole number above `window`, `window` one >= 1 and `pool` an odd one.
 */
export function snapKv(options: SnapKvOptions): CachePolicy {
  const { budget, window, pool } = { ...SNAP_KV_DEFAULTS, ...options };
  wholeNumber("snap-kv", "budget", budget, 1);
  checkWindow("snap-kv", window, budget);
  checkPool("snap-kv", pool);
  const changed = [
    ...(window === SNAP_KV_DEFAULTS.window ? [] : [`,window=${window}`]),
    ...(pool === SNAP_KV_DEFAULTS.pool ? [] : [`,pool=${pool}`]),
  ];
  return {
    name: `snap-kv:${budget}${changed.join("")}`,
    rule: UNMASKED,
    isPerLayer: true,
    statistics: ["observed"],
    observedQueries: window,
    budget: () => budget,
    keep: (view) => (view.isPromptEnd ? keepObserved("snap-kv", view, budget, window, pool) : null),
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

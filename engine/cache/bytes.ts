// Memory of the cache, now and over time. It is counted, not estimated.

/** Bytes of keys and values: in live slots, in all slots, and the peak of the live ones. */
export interface CacheBytes {
  readonly live: number;
  readonly allocated: number;
  readonly peak: number;
}

/** Bytes of keys and values over the steps since the last reset, and the same for a cache that drops nothing. */
export interface CacheStatistics {
  readonly steps: number;
  /** live bytes after a step, mean over the steps */
  readonly mean: number;
  /** most live bytes at any time, including during a step */
  readonly peak: number;
  /** the same for a cache that shares keys between forks but drops none */
  readonly denseMean: number;
  readonly densePeak: number;
}

/** Sums the bytes of several caches. */
export function joinBytes(caches: readonly CacheBytes[]): CacheBytes {
  const sum = (of: (bytes: CacheBytes) => number) => caches.reduce((total, bytes) => total + of(bytes), 0);
  return { live: sum(({ live }) => live), allocated: sum(({ allocated }) => allocated), peak: sum(({ peak }) => peak) };
}

/** Joins the statistics of several caches that count different steps. */
export function joinStatistics(caches: readonly CacheStatistics[]): CacheStatistics {
  const steps = caches.reduce((sum, cache) => sum + cache.steps, 0);
  const mean = (of: (cache: CacheStatistics) => number) =>
    caches.reduce((sum, cache) => sum + of(cache) * cache.steps, 0) / Math.max(1, steps);
  return {
    steps,
    mean: mean((cache) => cache.mean),
    peak: Math.max(0, ...caches.map(({ peak }) => peak)),
    denseMean: mean((cache) => cache.denseMean),
    densePeak: Math.max(0, ...caches.map(({ densePeak }) => densePeak)),
  };
}

// What the cache takes, now and over time; counted, not estimated.

/** Bytes of keys and values: in slots that are alive, in all slots, and the most that has been alive. */
export interface CacheBytes {
  readonly live: number;
  readonly allocated: number;
  readonly peak: number;
}

/** Bytes of keys and values over the steps since the statistics were last reset, beside those of a cache that drops nothing. */
export interface CacheStatistics {
  readonly steps: number;
  /** alive after a step, mean over the steps */
  readonly mean: number;
  /** the most alive at any time, in the middle of a step too */
  readonly peak: number;
  /** the same for a cache that shares what is shared but drops nothing */
  readonly denseMean: number;
  readonly densePeak: number;
}

/** The bytes of several caches together. */
export function joinBytes(caches: readonly CacheBytes[]): CacheBytes {
  const sum = (of: (bytes: CacheBytes) => number) => caches.reduce((total, bytes) => total + of(bytes), 0);
  return { live: sum(({ live }) => live), allocated: sum(({ allocated }) => allocated), peak: sum(({ peak }) => peak) };
}

/** The statistics of several caches, whose steps were different ones. */
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

// Counts the bytes of keys and values over steps: of a whole cache, or of the sequences of one policy object.

import type { CacheStatistics } from "./bytes.ts";

/** Bytes of live slots, and of the tokens that a cache which drops nothing would hold. */
export interface CacheSizes {
  readonly live: number;
  readonly dense: number;
}

/** Bytes over the steps since it was made. */
export class CacheMeter {
  #steps = 0;
  #live = 0;
  #dense = 0;
  #peak = 0;
  #densePeak = 0;

  /** Takes notice of sizes at any time. */
  see({ live, dense }: CacheSizes): void {
    this.#peak = Math.max(this.#peak, live);
    this.#densePeak = Math.max(this.#densePeak, dense);
  }

  /** Counts a step, after its policies have acted. */
  countStep({ live, dense }: CacheSizes): void {
    this.#steps++;
    this.#live += live;
    this.#dense += dense;
  }

  statistics(): CacheStatistics {
    const count = Math.max(1, this.#steps);
    return {
      steps: this.#steps,
      mean: this.#live / count,
      peak: this.#peak,
      denseMean: this.#dense / count,
      densePeak: this.#densePeak,
    };
  }
}

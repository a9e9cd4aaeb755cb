// The two stores of a model: one for sequences whose layers keep the same keys, one for sequences whose layers keep different keys.
// Each is created on first use.

import type { Device, Matrix } from "../devices/device.ts";
import { joinBytes, joinStatistics, type CacheBytes, type CacheStatistics } from "./bytes.ts";
import type { Keeping } from "./keeping.ts";
import { CacheMeter } from "./meter.ts";
import { CacheStore, type CacheShape } from "./store.ts";

/** The stores of one model. */
export class CacheStores {
  readonly #device: Device;
  readonly #shape: Omit<CacheShape, "isPerLayer">;
  #shared: CacheStore | undefined;
  #perLayer: CacheStore | undefined;
  readonly #meters = new WeakMap<object, CacheMeter>();

  /** `shape.near`: the weights of each layer; a device with several memories puts the layer's keys and values in the same one. */
  constructor(device: Device, shape: Omit<CacheShape, "isPerLayer"> & { readonly near: readonly Matrix[] }) {
    this.#device = device;
    this.#shape = shape;
  }

  /** The store of sequences with this keeping. */
  of({ isPerLayer }: Pick<Keeping, "isPerLayer">): CacheStore {
    if (isPerLayer)
      return (this.#perLayer ??= new CacheStore(this.#device, { ...this.#shape, isPerLayer }, this.#meters));
    return (this.#shared ??= new CacheStore(this.#device, { ...this.#shape, isPerLayer }, this.#meters));
  }

  /** Bytes of keys and values of all sequences. */
  bytes(): CacheBytes {
    return joinBytes(this.#made().map((store) => store.bytes()));
  }

  /** Bytes over the steps of both stores since the last reset; of one policy since its own last reset, nothing before that. */
  statistics(policy?: object): CacheStatistics {
    if (policy) return (this.#meters.get(policy) ?? new CacheMeter()).statistics();
    return joinStatistics(this.#made().map((store) => store.statistics()));
  }

  /** Resets the statistics, or begins those of one policy. */
  resetStatistics(policy?: object): void {
    if (policy) this.#meters.set(policy, new CacheMeter());
    else for (const store of this.#made()) store.resetStatistics();
  }

  /** Frees both. */
  dispose(): void {
    for (const store of this.#made()) store.dispose();
  }

  #made(): CacheStore[] {
    return [this.#shared, this.#perLayer].filter((store) => store !== undefined);
  }
}

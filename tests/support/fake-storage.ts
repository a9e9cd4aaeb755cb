// A browser's storage in memory, for tests in Node: OPFS, the Cache API, quotas and Web Locks as far as kedge uses them. Entries
// appear when they are closed; what is written counts against the quota.

import { vi } from "vitest";

class NotFound extends Error {
  override readonly name = "NotFoundError";
}

type Directory = Map<string, Directory | Uint8Array<ArrayBuffer>>;

/** What the fake holds, and how it behaves. */
export class FakeStorage {
  readonly root: Directory = new Map();
  readonly caches = new Map<string, Map<string, Uint8Array<ArrayBuffer>>>();
  quota = Number.POSITIVE_INFINITY;
  /** what `estimate` says is free, where it is to be wrong */
  claimedQuota: number | undefined;
  persistCalls = 0;
  /** how long a write takes */
  writeMilliseconds = 0;
  readonly #locks = new Map<string, Promise<unknown>>();

  /** Bytes that are stored. */
  get usage(): number {
    const sizeOf = (entry: Directory | Uint8Array): number =>
      entry instanceof Uint8Array ? entry.byteLength : [...entry.values()].reduce((sum, one) => sum + sizeOf(one), 0);
    const inCaches = [...this.caches.values()].flatMap((cache) => [...cache.values()]);
    return sizeOf(this.root) + inCaches.reduce((sum, bytes) => sum + bytes.byteLength, 0);
  }

  /** Makes this the storage of the page at an address, until `vi.unstubAllGlobals()`. */
  install(href: string, { opfs = true, cache = true, locks = true } = {}): void {
    vi.stubGlobal("location", { href });
    vi.stubGlobal("isSecureContext", true);
    vi.stubGlobal("FileSystemFileHandle", opfs ? { prototype: { createWritable: () => undefined } } : undefined);
    vi.stubGlobal("caches", cache ? this.#cacheStorage() : undefined);
    vi.stubGlobal("navigator", {
      storage: {
        ...(opfs ? { getDirectory: async () => this.#handle(this.root) } : {}),
        estimate: async () => ({ quota: this.claimedQuota ?? this.quota, usage: this.usage }),
        persist: async () => {
          this.persistCalls++;
          return false;
        },
      },
      ...(locks ? { locks: { request: this.#request.bind(this) } } : {}),
    });
  }

  async #checkRoom(byteLength: number): Promise<void> {
    if (this.writeMilliseconds > 0) await new Promise((resolve) => setTimeout(resolve, this.writeMilliseconds));
    if (this.usage + byteLength > this.quota) throw new DOMException("no room", "QuotaExceededError");
  }

  #handle(directory: Directory): object {
    const find = (name: string, isWanted: boolean, make: (() => Directory | Uint8Array<ArrayBuffer>) | false) => {
      if (!directory.has(name)) {
        if (!isWanted || make === false) throw new NotFound(name);
        directory.set(name, make());
      }
      return directory.get(name)!;
    };
    return {
      async *keys() {
        yield* [...directory.keys()];
      },
      getDirectoryHandle: async (name: string, { create = false } = {}) =>
        this.#handle(find(name, create, () => new Map()) as Directory),
      getFileHandle: async (name: string, { create = false } = {}) => {
        find(name, create, () => new Uint8Array(0));
        return {
          getFile: async () => {
            const bytes = directory.get(name);
            if (bytes === undefined) throw new NotFound(name);
            return new Blob([bytes as Uint8Array<ArrayBuffer>]);
          },
          createWritable: async () => {
            const written: Uint8Array<ArrayBuffer>[] = [];
            return {
              write: async (data: Uint8Array<ArrayBuffer> | string) => {
                const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data.slice();
                await this.#checkRoom(bytes.byteLength);
                written.push(bytes);
              },
              close: async () => {
                directory.set(name, new Uint8Array(await new Blob(written).arrayBuffer()));
              },
              abort: async () => undefined,
            };
          },
        };
      },
      removeEntry: async (name: string) => {
        if (!directory.delete(name)) throw new NotFound(name);
      },
    };
  }

  #cacheStorage(): object {
    return {
      open: async (name: string) => {
        const cache = this.caches.get(name) ?? new Map<string, Uint8Array<ArrayBuffer>>();
        this.caches.set(name, cache);
        return {
          match: async (address: string) => {
            const bytes = cache.get(address);
            return bytes && new Response(bytes);
          },
          put: async (address: string, response: Response) => {
            const bytes = new Uint8Array(await response.arrayBuffer());
            await this.#checkRoom(bytes.byteLength);
            cache.set(address, bytes);
          },
          delete: async (address: string) => cache.delete(address),
          keys: async () => [...cache.keys()].map((url) => ({ url })),
        };
      },
      keys: async () => [...this.caches.keys()],
      delete: async (name: string) => this.caches.delete(name),
    };
  }

  /** Shared locks only count how many there are. */
  async #request<T>(
    name: string,
    { mode = "exclusive", ifAvailable = false }: { mode?: string; ifAvailable?: boolean },
    work: (lock: unknown) => Promise<T>,
  ): Promise<T> {
    const before = this.#locks.get(name);
    if (before !== undefined && ifAvailable) return work(null);
    const run = async (): Promise<T> => {
      if (mode === "exclusive") await before;
      return work({ name });
    };
    const done = run();
    const all = Promise.allSettled([before, done]);
    this.#locks.set(name, all);
    void all.then(() => this.#locks.get(name) === all && this.#locks.delete(name));
    return done;
  }
}

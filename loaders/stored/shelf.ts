// A shelf holds what is stored of one model: small records and parts of files, by name. There is one in OPFS (a directory) or in the
// Cache API (a cache). In both, an entry appears when it has been written whole, and not before.

import {
  browserStorage,
  errorName,
  type BrowserCache,
  type BrowserCaches,
  type DirectoryHandle,
} from "./browser-storage.ts";

/** Where a browser keeps models: its origin private file system, or the Cache API. */
export type StoreKind = "opfs" | "cache";

/** What is stored of one model. */
export interface Shelf {
  names(): Promise<readonly string[]>;
  /** An entry's bytes; null where there is none. */
  read(name: string): Promise<Blob | null>;
  /** Writes an entry, whole or not at all. Throws the browser's `QuotaExceededError` where there is no room. */
  write(name: string, data: Uint8Array | string): Promise<void>;
  /** Removes an entry, if it is there. */
  remove(name: string): Promise<void>;
}

/** All shelves of one kind. */
export interface Store {
  readonly kind: StoreKind;
  /** the keys of the shelves that there are */
  keys(): Promise<readonly string[]>;
  /** The shelf of this key; null where there is none. */
  find(key: string): Promise<Shelf | null>;
  /** The shelf of this key, made if it is not there. */
  make(key: string): Promise<Shelf>;
  remove(key: string): Promise<void>;
}

/** The directory in OPFS, and the beginning of a cache's name. */
const PLACE = "kedge-models";
/** Entries of the Cache API have addresses; nothing is ever asked of this one. */
const ADDRESS = "https://kedge.invalid/";

/** The store of this kind; null where this page has none, or may not use it. */
export async function openStore(kind: StoreKind): Promise<Store | null> {
  const { storage, caches, hasWritableFiles } = browserStorage();
  try {
    if (kind === "cache") {
      await caches?.keys(); // refused here where a page may not store anything
      return caches === undefined ? null : cacheStore(caches);
    }
    if (storage?.getDirectory === undefined || !hasWritableFiles) return null;
    return opfsStore(await storage.getDirectory());
  } catch {
    return null;
  }
}

function opfsStore(root: DirectoryHandle): Store {
  return {
    kind: "opfs",
    async keys() {
      const place = await orNull(root.getDirectoryHandle(PLACE));
      return place === null ? [] : collect(place.keys());
    },
    async find(key) {
      const place = await orNull(root.getDirectoryHandle(PLACE));
      const directory = place && (await orNull(place.getDirectoryHandle(key)));
      return directory && directoryShelf(directory);
    },
    async make(key) {
      const place = await root.getDirectoryHandle(PLACE, { create: true });
      return directoryShelf(await place.getDirectoryHandle(key, { create: true }));
    },
    async remove(key) {
      const place = await orNull(root.getDirectoryHandle(PLACE));
      if (place !== null) await orNull(place.removeEntry(key, { recursive: true }));
    },
  };
}

function directoryShelf(directory: DirectoryHandle): Shelf {
  return {
    names: () => collect(directory.keys()),
    async read(name) {
      const handle = await orNull(directory.getFileHandle(name));
      return handle === null ? null : orNull(handle.getFile());
    },
    async write(name, data) {
      const handle = await directory.getFileHandle(name, { create: true });
      const stream = await handle.createWritable();
      try {
        await stream.write(data);
        await stream.close();
      } catch (error) {
        await stream.abort().catch(() => undefined);
        await directory.removeEntry(name).catch(() => undefined); // an empty file was made
        throw error;
      }
    },
    async remove(name) {
      await orNull(directory.removeEntry(name));
    },
  };
}

function cacheStore(caches: BrowserCaches): Store {
  const prefix = `${PLACE}/`;
  return {
    kind: "cache",
    async keys() {
      const names = await caches.keys();
      return names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
    },
    async find(key) {
      return (await caches.keys()).includes(prefix + key) ? this.make(key) : null;
    },
    make: async (key) => cacheShelf(await caches.open(prefix + key)),
    async remove(key) {
      await caches.delete(prefix + key);
    },
  };
}

function cacheShelf(cache: BrowserCache): Shelf {
  return {
    names: async () => (await cache.keys()).map(({ url }) => url.slice(ADDRESS.length)),
    read: async (name) => (await (await cache.match(ADDRESS + name))?.blob()) ?? null,
    write: (name, data) => cache.put(ADDRESS + name, new Response(data as Uint8Array<ArrayBuffer> | string)),
    async remove(name) {
      await cache.delete(ADDRESS + name);
    },
  };
}

/** Null in place of an error that there is no such thing. */
async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (errorName(error) === "NotFoundError") return null;
    throw error;
  }
}

async function collect(names: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const name of names) all.push(name);
  return all;
}

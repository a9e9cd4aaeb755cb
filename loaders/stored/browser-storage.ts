// What kedge uses of a browser's storage: the origin private file system (OPFS), the Cache API, quotas and Web Locks, declared
// without the DOM library. Names: https://fs.spec.whatwg.org, https://w3c.github.io/ServiceWorker, https://storage.spec.whatwg.org,
// https://w3c.github.io/web-locks.

/** A file of OPFS. */
export interface FileHandle {
  getFile(): Promise<Blob>;
  /** A stream into a copy of the file, which takes the file's place when it is closed and not before. */
  createWritable(): Promise<{
    write(data: Uint8Array | string): Promise<void>;
    close(): Promise<void>;
    abort(): Promise<void>;
  }>;
}

/** A directory of OPFS. */
export interface DirectoryHandle {
  keys(): AsyncIterable<string>;
  getFileHandle(name: string, options?: { readonly create?: boolean }): Promise<FileHandle>;
  getDirectoryHandle(name: string, options?: { readonly create?: boolean }): Promise<DirectoryHandle>;
  removeEntry(name: string, options?: { readonly recursive?: boolean }): Promise<void>;
}

/** A cache of the Cache API. */
export interface BrowserCache {
  match(address: string): Promise<Response | undefined>;
  put(address: string, response: Response): Promise<void>;
  delete(address: string): Promise<boolean>;
  keys(): Promise<readonly { readonly url: string }[]>;
}

/** All caches of an origin. */
export interface BrowserCaches {
  open(name: string): Promise<BrowserCache>;
  keys(): Promise<readonly string[]>;
  delete(name: string): Promise<boolean>;
}

/** `navigator.storage`. */
export interface StorageManager {
  getDirectory?(): Promise<DirectoryHandle>;
  estimate?(): Promise<{ readonly quota?: number; readonly usage?: number }>;
  persist?(): Promise<boolean>;
}

/** `navigator.locks`. */
export interface Locks {
  request<T>(
    name: string,
    options: {
      readonly mode?: "shared" | "exclusive";
      readonly ifAvailable?: boolean;
      readonly signal?: AbortSignal;
    },
    work: (lock: unknown) => Promise<T>,
  ): Promise<T>;
}

/** What `fetch` takes, and how it uses the browser's own cache. */
export interface PageRequest extends RequestInit {
  readonly cache?: "no-store";
}

interface Surroundings {
  readonly location?: { readonly href: string };
  readonly isSecureContext?: boolean;
  readonly caches?: BrowserCaches;
  readonly FileSystemFileHandle?: { readonly prototype: object };
  readonly navigator?: { readonly storage?: StorageManager; readonly locks?: Locks };
}

/** What this browser has. */
export function browserStorage(): {
  readonly storage: StorageManager | undefined;
  readonly caches: BrowserCaches | undefined;
  readonly locks: Locks | undefined;
  /** whether files of OPFS can be written outside of a worker's synchronous handles (Safari: since 26) */
  readonly hasWritableFiles: boolean;
  /** the page's address; undefined in Node */
  readonly page: string | undefined;
  /** https, or localhost: browsers offer storage nowhere else */
  readonly isSecure: boolean;
} {
  const { location, isSecureContext = false, caches, FileSystemFileHandle, navigator } = globalThis as Surroundings;
  return {
    storage: navigator?.storage,
    caches,
    locks: navigator?.locks,
    hasWritableFiles: FileSystemFileHandle !== undefined && "createWritable" in FileSystemFileHandle.prototype,
    page: location?.href,
    isSecure: isSecureContext,
  };
}

/** The name of a DOMException or another error: `QuotaExceededError`. */
export function errorName(error: unknown): string {
  return typeof error === "object" && error !== null && "name" in error ? String(error.name) : "";
}

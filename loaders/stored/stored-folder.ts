// A folder on a server whose files are read in large parts and, in a page, kept between page loads. A file that is kept is asked for
// once, without its bytes (file-version.ts): if it is the same still, nothing is fetched; if its server cannot be reached, what is
// kept is used, and a note says so. What was fetched before a load was interrupted is not fetched again.

import type { ByteSource } from "../byte-source.ts";
import { FormatError } from "../errors.ts";
import { shownUrl, type HttpOptions } from "../http-source.ts";
import {
  checkFileName,
  fileAddress,
  httpFolder,
  missingFile,
  type DownloadProgress,
  type ModelFolder,
  type OpenFileOptions,
} from "../model-folder.ts";
import type { PageRequest } from "./browser-storage.ts";
import { askVersion, isSameVersion, isTold } from "./file-version.ts";
import { ModelPlace, type StoreChoice } from "./model-place.ts";
import { partedSource, type PartStore } from "./parted-source.ts";
import { fileKey, lastingUrl, readFile, type FileRecord } from "./records.ts";
import { watchedFetch, type WatchedFetch } from "./watched-fetch.ts";

/** How a folder is read and kept. */
export interface StoredFolderOptions extends HttpOptions {
  /** what the model is called in the list of what is stored; its URL by default */
  readonly name?: string | undefined;
  readonly store?: StoreChoice;
  /** bytes of a part; {@link PART_BYTES} by default */
  readonly partBytes?: number | undefined;
  /** called while bytes come over the network, and only then */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/** The beginning of a file, which opening it has fetched. */
const HEAD_BYTES = 64 * 1024;
/** Steps of a file's download that are told. */
const STEPS = 200;

/** Opens a folder. Throws an UnsupportedError for a store that was asked for and is not there. */
export async function storedFolder(baseUrl: string | URL, options: StoredFolderOptions = {}): Promise<StoredFolder> {
  const url = lastingUrl(String(baseUrl));
  const place = await ModelPlace.open(options.name ?? url, url, options.store);
  return new StoredFolder(baseUrl, options, place);
}

/** A folder on a server, and what is to be told about where its files came from. */
export class StoredFolder implements ModelFolder {
  readonly #folder: ModelFolder;
  readonly #baseUrl: string | URL;
  readonly #options: StoredFolderOptions;
  readonly #place: ModelPlace | null;
  readonly #watch: WatchedFetch;
  readonly #downloads = new Map<string, Download>();
  /** what `has` found to be current, waiting for `open` */
  readonly #current = new Map<string, FileRecord>();
  readonly #notes = new Set<string>();
  readonly #listeners: ((progress: DownloadProgress) => void)[];
  /** why the server cannot be reached, once it was found out: then only what is kept is used */
  #offline: string | undefined;

  /** @param place where files are kept, why they cannot be, or null */
  constructor(baseUrl: string | URL, options: StoredFolderOptions, place: ModelPlace | string | null) {
    const { fetch: send = fetch, headers, signal } = options;
    this.#baseUrl = baseUrl;
    this.#listeners = options.onProgress ? [options.onProgress] : [];
    this.#options = options;
    this.#place = typeof place === "string" ? null : place;
    if (typeof place === "string") this.#notes.add(place);
    // The browser's own cache would keep everything twice, lets one range of a file wait for another, and splits ranges. It is used
    // where there is no other.
    const init: PageRequest = typeof place === "string" ? {} : { cache: "no-store" };
    this.#watch = watchedFetch(send, (address, count) => this.#downloads.get(address)?.add(count), init);
    this.#folder = httpFolder(baseUrl, { fetch: this.#watch.fetch, headers, signal });
  }

  get name(): string {
    const reason = this.#offline;
    return reason === undefined ? this.#folder.name : `${this.#folder.name}, as it is kept (its server: ${reason})`;
  }

  /** One sentence each; more come while files are opened, read and closed. */
  get notes(): readonly string[] {
    return [...this.#notes, ...(this.#place?.notes ?? [])];
  }

  onDownload(listener: (progress: DownloadProgress) => void): void {
    this.#listeners.push(listener);
  }

  async has(file: string): Promise<boolean> {
    if (await this.#findKept(file)) return true;
    return this.#offline === undefined && this.#folder.has(file);
  }

  async open(file: string, options?: OpenFileOptions): Promise<ByteSource> {
    const record = await this.#findKept(file);
    this.#current.delete(file);
    // What is too long is refused as the server's answer is, by opening it.
    if (record && record.byteLength <= (options?.maxByteLength ?? Infinity)) return this.#kept(record);
    if (this.#offline !== undefined) throw missingFile(this.name, file, undefined);
    return this.#fresh(file, options);
  }

  /** The record of a file that is kept, if it may be used. */
  async #findKept(file: string): Promise<FileRecord | null> {
    checkFileName(this.name, file);
    const known = this.#current.get(file);
    if (known) return known;
    const record = await this.#recordOf(file);
    if (record === null || !(await this.#isCurrent(record))) return null;
    this.#current.set(file, record);
    return record;
  }

  async #recordOf(file: string): Promise<FileRecord | null> {
    const shelf = this.#place?.shelf;
    return shelf ? readFile(shelf, file) : null;
  }

  /** Whether a file that is kept may be used: its server says that it is the same, or cannot be reached. */
  async #isCurrent(record: FileRecord): Promise<boolean> {
    if (this.#offline !== undefined) return true;
    const answer = await askVersion(fileAddress(this.#baseUrl, record.file), record, this.#options);
    if (answer.kind !== "unreachable") return answer.kind === "same";
    this.#offline = answer.reason;
    this.#notes.add(
      `${this.#folder.name}: the copy in this browser is used, which may be out of date: its server cannot be reached (${answer.reason})`,
    );
    return true;
  }

  /** A file that is kept, or a part of it: its server is asked for the rest. */
  #kept(record: FileRecord): Promise<ByteSource> {
    const { file } = record;
    const address = fileAddress(this.#baseUrl, file);
    return this.#stored(record, this.#place!.parts(record), async () => {
      if (this.#offline !== undefined) {
        const reason = `is kept only in part, and its server cannot be reached: ${this.#offline}`;
        throw new FormatError(shownUrl(address), reason);
      }
      const source = await this.#folder.open(file);
      if (isSameVersion(record, this.#versionOf(address, source))) return source;
      await source.close();
      throw new FormatError(shownUrl(address), "was changed on the server while it was read: load it again");
    });
  }

  /** A file that is not kept, or is another one now. */
  async #fresh(file: string, options?: OpenFileOptions): Promise<ByteSource> {
    const address = fileAddress(this.#baseUrl, file);
    const source = await this.#folder.open(file, options);
    const { byteLength } = source;
    const version = this.#versionOf(address, source);
    const record = { ...version, byteLength, file, key: await fileKey(file, version) };
    if (this.#place && !isTold(version)) {
      this.#notes.add(
        `${this.#folder.name}: is not kept between page loads: its server gives neither ETag nor Last-Modified, which would tell whether it changed`,
      );
    }
    const store = this.#place && isTold(version) ? await this.#place.begin(record, await this.#recordOf(file)) : null;
    if (store) return this.#stored(record, store, async () => source, source);
    this.#download(file, byteLength);
    const { signal, partBytes } = this.#options;
    const parted = partedSource({ name: source.name, byteLength, signal, partBytes, open: async () => source });
    const read: ByteSource["read"] = (begin, end, readSignal, into) =>
      (end <= HEAD_BYTES ? source : parted).read(begin, end, readSignal, into);
    return { ...parted, read, close: () => closeAll(parted, source) };
  }

  /** A file whose parts are kept. */
  async #stored(
    { file, byteLength }: FileRecord,
    store: PartStore,
    open: () => Promise<ByteSource>,
    opened?: ByteSource,
  ): Promise<ByteSource> {
    const place = this.#place!;
    const release = await place.hold();
    await place.use();
    const download = this.#download(file, byteLength);
    const read: PartStore["read"] = async (index, length) => {
      const bytes = await store.read(index, length);
      if (bytes) download.skip(length);
      return bytes;
    };
    const { signal, partBytes } = this.#options;
    const name = shownUrl(fileAddress(this.#baseUrl, file));
    const parted = partedSource({ name, byteLength, signal, partBytes, store: { ...store, read }, open });
    const close = async (): Promise<void> => {
      await closeAll(parted, opened);
      release();
    };
    return { ...parted, close };
  }

  #versionOf(address: string, { byteLength }: ByteSource) {
    return { etag: null, lastModified: null, ...this.#watch.versionOf(address), byteLength };
  }

  #download(file: string, byteLength: number): Download {
    const download = new Download(file, byteLength, this.#listeners);
    this.#downloads.set(fileAddress(this.#baseUrl, file), download);
    return download;
  }
}

async function closeAll(...sources: readonly (ByteSource | undefined)[]): Promise<void> {
  for (const source of sources) await source?.close();
}

/** Counts the bytes of one file that are there, and tells of those that come over the network. */
class Download {
  readonly #file: string;
  readonly #bytesTotal: number;
  readonly #listeners: readonly ((progress: DownloadProgress) => void)[];
  #bytesLoaded = 0;
  #told = 0;

  constructor(file: string, bytesTotal: number, listeners: readonly ((progress: DownloadProgress) => void)[]) {
    this.#file = file;
    this.#bytesTotal = bytesTotal;
    this.#listeners = listeners;
  }

  /** Counts bytes that were kept. */
  skip(count: number): void {
    this.#bytesLoaded = Math.min(this.#bytesTotal, this.#bytesLoaded + count);
  }

  /** Counts bytes that came, and tells about them in steps. */
  add(count: number): void {
    this.skip(count);
    const [bytesLoaded, bytesTotal] = [this.#bytesLoaded, this.#bytesTotal];
    if (bytesLoaded - this.#told < bytesTotal / STEPS && bytesLoaded < bytesTotal) return;
    if (this.#told === bytesTotal) return;
    this.#told = bytesLoaded;
    for (const listener of this.#listeners) listener({ file: this.#file, bytesLoaded, bytesTotal });
  }
}

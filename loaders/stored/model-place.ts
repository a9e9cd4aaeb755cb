// The place of one model in a browser's storage: finds its shelf, writes to it while there is room, and says in a sentence why
// something is not kept. Nothing here fails a load: what cannot be stored is fetched again next time.

import { UnsupportedError } from "../errors.ts";
import { pause } from "../until-aborted.ts";
import { browserStorage, errorName } from "./browser-storage.ts";
import type { PartStore } from "./parted-source.ts";
import { partName, removeFile, shelfKey, writeFile, writeModel, type FileRecord } from "./records.ts";
import { openStore, type Shelf, type Store, type StoreKind } from "./shelf.ts";

/** Where a page keeps the files of models: not at all, in one of its stores, or (undefined) in the first that it has. */
export type StoreChoice = StoreKind | false | undefined;

/** How long a load waits for the browser to make storage persistent: it may ask its user. */
const PERSIST_MILLISECONDS = 1000;

/** Where one model is kept. */
export class ModelPlace {
  /** why something was not kept, one sentence each */
  readonly notes = new Set<string>();
  readonly #name: string;
  readonly #url: string;
  readonly #store: Store;
  readonly #key: string;
  #shelf: Shelf | null;
  #isUsed = false;
  #isOff = false;

  private constructor(name: string, url: string, store: Store, key: string, shelf: Shelf | null) {
    [this.#name, this.#url, this.#store, this.#key, this.#shelf] = [name, url, store, key, shelf];
  }

  /**
   * The place of the model at a URL; null where nothing is to be kept, and a sentence where nothing can be.
   * Throws an UnsupportedError for a store that was asked for and is not there.
   */
  static async open(name: string, url: string, choice: StoreChoice): Promise<ModelPlace | string | null> {
    const { page, isSecure } = browserStorage();
    if (choice === false || (page === undefined && choice === undefined)) return null;
    const store = choice ? await openStore(choice) : ((await openStore("opfs")) ?? (await openStore("cache")));
    if (store) {
      const key = await shelfKey(url);
      return new ModelPlace(name, url, store, key, await store.find(key));
    }
    const reason = isSecure || page === undefined ? "" : ", because it is served neither by https nor from localhost";
    if (choice === undefined) return `${name}: is not kept between page loads: this page may not store files${reason}`;
    const other = reason === "" && page !== undefined ? `leave it out, or load with store: false` : "use store: false";
    throw new UnsupportedError(
      `store is "${choice}", but this ${page === undefined ? "is no page" : `page has no such store${reason}`}: ${other}`,
    );
  }

  /** What is kept already; null where nothing is. */
  get shelf(): Shelf | null {
    return this.#shelf;
  }

  /** Notes that the model is used now. */
  async use(): Promise<void> {
    if (this.#isUsed || !this.#shelf) return;
    this.#isUsed = true;
    const shelf = this.#shelf;
    await this.#attempt(() => writeModel(shelf, { name: this.#name, url: this.#url, usedAt: Date.now() }));
  }

  /** Makes room for a new file, in place of its earlier version; null where it cannot be kept. */
  async begin(file: FileRecord, earlier: FileRecord | null): Promise<PartStore | null> {
    if (earlier && this.#shelf) await removeFile(this.#shelf, earlier).catch(() => undefined);
    if (this.#isOff || !(await this.#hasRoom(file))) return null;
    const isReady = await this.#attempt(async () => {
      this.#shelf ??= await this.#store.make(this.#key);
      await this.use();
      await writeFile(this.#shelf, file);
    });
    return isReady && !this.#isOff ? this.parts(file) : null;
  }

  /** The parts of a file that is kept. */
  parts(file: FileRecord): PartStore {
    const shelf = this.#shelf!;
    const { locks } = browserStorage();
    return {
      async read(index, byteLength) {
        const blob = await shelf.read(partName(file.key, index)).catch(() => null);
        if (blob?.size !== byteLength) return null; // an empty file is left where a tab ended while it was made
        const bytes = await blob.arrayBuffer().catch(() => null); // removed meanwhile
        return bytes && new Uint8Array(bytes);
      },
      write: async (index, bytes) => {
        const isKept = await this.#attempt(() => shelf.write(partName(file.key, index), bytes), file);
        if (!isKept) await removeFile(shelf, file).catch(() => undefined); // without this part the rest is of no use
      },
      alone: (index, signal, work) => (locks ? locks.request(`kedge ${file.key}.${index}`, { signal }, work) : work()),
    };
  }

  /** Keeps the model from being removed, in this tab and others, until the function that this gives is called. */
  async hold(): Promise<() => void> {
    const { locks } = browserStorage();
    if (!locks) return () => undefined;
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    await new Promise<void>((resolve) => {
      const work = (): Promise<void> => {
        resolve();
        return held;
      };
      locks.request(useLock(this.#store.kind, this.#key), { mode: "shared" }, work).catch(() => resolve());
    });
    return release;
  }

  /** Whether a file fits; asks the browser for persistent storage, which may have more room, if it does not. */
  async #hasRoom({ file, byteLength }: FileRecord): Promise<boolean> {
    const { storage } = browserStorage();
    const free = async (): Promise<number> => {
      const { quota = Infinity, usage = 0 } = (await storage?.estimate?.().catch(() => undefined)) ?? {};
      return quota - usage;
    };
    let room = await free();
    if (room < byteLength && storage?.persist) {
      await Promise.race([storage.persist().catch(() => false), pause(PERSIST_MILLISECONDS, undefined)]);
      room = await free();
    }
    if (room >= byteLength) return true;
    this.#isOff = true;
    this.#note(
      `${file} has ${inMegabytes(byteLength)}, and ${inMegabytes(Math.max(0, room))} of this site's storage are free`,
    );
    return false;
  }

  /** Writes something, and nothing more after that has failed. */
  async #attempt(work: () => Promise<void>, file?: FileRecord): Promise<boolean> {
    if (this.#isOff) return false;
    try {
      await work();
      return true;
    } catch (error) {
      this.#isOff = true;
      const what = file ? `${file.file} (${inMegabytes(file.byteLength)})` : "it";
      const isFull = errorName(error) === "QuotaExceededError";
      this.#note(isFull ? `this site's storage has no room for ${what}` : `its storage failed: ${String(error)}`);
      return false;
    }
  }

  #note(reason: string): void {
    const remedy = "remove a stored model (storedModels, removeStoredModel) or load with store: false";
    this.notes.add(`${this.#name}: is not kept whole between page loads, because ${reason}: ${remedy}`);
  }
}

function inMegabytes(byteLength: number): string {
  return `${(byteLength / 1e6).toFixed(1)} MB`;
}

/** The Web Lock that is shared by those who use a model, and taken alone by who removes it. */
export function useLock(kind: StoreKind, key: string): string {
  return `kedge ${kind} ${key}`;
}

// The store of measured choices in a browser: one value in a database of the page's origin. Only the used part of IndexedDB is typed here.

import type { ChoiceStore } from "./choice-store.ts";

interface Request {
  readonly result: unknown;
  readonly error: unknown;
  addEventListener(kind: "success" | "error" | "upgradeneeded", listener: () => void): void;
}
interface Transaction {
  readonly error: unknown;
  addEventListener(kind: "complete" | "abort", listener: () => void): void;
  objectStore(name: string): {
    get(key: string): Request;
    put(value: unknown, key: string): Request;
    delete(key: string): Request;
  };
}
interface Database {
  createObjectStore(name: string): unknown;
  transaction(name: string, mode: "readonly" | "readwrite"): Transaction;
  close(): void;
}

/** `globalThis.indexedDB`. */
export interface DatabaseFactory {
  open(name: string, version: number): Request;
}

const DATABASE = "kedge";
const VERSION = 1;
const STORE = "kernel-choices";
const KEY = "document";

/** One value of a database. */
export class IndexedDbStore implements ChoiceStore {
  readonly place = `IndexedDB, database "${DATABASE}"`;
  readonly #factory: DatabaseFactory;

  constructor(factory: DatabaseFactory) {
    this.#factory = factory;
  }

  read(): Promise<unknown> {
    return this.#transact("readonly", (store) => store.get(KEY));
  }

  async write(value: unknown): Promise<void> {
    await this.#transact("readwrite", (store) => store.put(value, KEY));
  }

  async clear(): Promise<void> {
    await this.#transact("readwrite", (store) => store.delete(KEY));
  }

  async #transact(
    mode: "readonly" | "readwrite",
    ask: (store: ReturnType<Transaction["objectStore"]>) => Request,
  ): Promise<unknown> {
    const database = await this.#open();
    try {
      return await new Promise<unknown>((resolve, reject) => {
        const transaction = database.transaction(STORE, mode);
        const request = ask(transaction.objectStore(STORE));
        transaction.addEventListener("complete", () => resolve(request.result));
        transaction.addEventListener("abort", () => reject(asError(transaction.error)));
      });
    } finally {
      database.close();
    }
  }

  #open(): Promise<Database> {
    return new Promise((resolve, reject) => {
      const request = this.#factory.open(DATABASE, VERSION);
      const database = () => request.result as Database;
      request.addEventListener("upgradeneeded", () => void database().createObjectStore(STORE));
      request.addEventListener("success", () => resolve(database()));
      request.addEventListener("error", () => reject(asError(request.error)));
    });
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(`IndexedDB fails: ${String(error)}`);
}

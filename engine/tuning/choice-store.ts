// Where choices are kept: a JSON file in Node, IndexedDB in a browser, nowhere else. What cannot be read is as if it were not
// there, with one warning: no model fails to load for want of a measured choice.

import { FileStore, fileOf } from "./file-store.ts";
import { IndexedDbStore, type DatabaseFactory } from "./indexed-db-store.ts";
import { NO_CHOICES, parseDocument, type ChoiceDocument } from "./kept-choices.ts";

/** One value that stays. */
export interface ChoiceStore {
  /** where it is, for people */
  readonly place: string;
  /** undefined where nothing is kept */
  read(): Promise<unknown>;
  /** All or nothing of it is there afterwards. */
  write(value: unknown): Promise<void>;
  clear(): Promise<void>;
}

/** The store of this machine or page; undefined where nothing can be kept, or KEDGE_KERNEL_CHOICES is "off". */
export async function openChoiceStore(): Promise<ChoiceStore | undefined> {
  const { process, indexedDB } = globalThis as {
    readonly process?: {
      readonly versions?: { readonly node?: string };
      readonly env: Record<string, string | undefined>;
    };
    readonly indexedDB?: DatabaseFactory;
  };
  if (process?.versions?.node !== undefined) {
    const file = await fileOf(process.env);
    return file === undefined ? undefined : new FileStore(file);
  }
  return indexedDB ? new IndexedDbStore(indexedDB) : undefined;
}

/** What a store keeps; nothing where it is empty, cannot be read, or holds something else. */
export async function readDocument(store: ChoiceStore, warn = warnOnce): Promise<ChoiceDocument> {
  try {
    const value = await store.read();
    return value === undefined ? NO_CHOICES : parseDocument(value);
  } catch (error) {
    warn(`kedge: ${store.place} is ignored: ${error instanceof Error ? error.message : String(error)}`);
    return NO_CHOICES;
  }
}

const warned = new Set<string>();

function warnOnce(sentence: string): void {
  if (warned.has(sentence)) return;
  warned.add(sentence);
  console.warn(sentence);
}

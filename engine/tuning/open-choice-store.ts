// The place where a machine or page keeps choices: a JSON file in Node, IndexedDB in a browser.

import type { ChoiceStore } from "./choice-store.ts";
import { IndexedDbStore, type DatabaseFactory } from "./indexed-db-store.ts";

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
    const { FileStore, fileOf } = await import("./file-store.ts");
    const file = await fileOf(process.env);
    return file === undefined ? undefined : new FileStore(file);
  }
  return indexedDB ? new IndexedDbStore(indexedDB) : undefined;
}

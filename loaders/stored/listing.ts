// What a page has stored: the list, and how a model is removed from it.

import { browserStorage } from "./browser-storage.ts";
import { useLock } from "./model-place.ts";
import { lastingUrl, readModel, shelfKey } from "./records.ts";
import { openStore, type Store, type StoreKind } from "./shelf.ts";

/** A stored model, as `storedModels` gives it. */
export interface StoredModel {
  /** what it was loaded by: `owner/name` on the Hub, or the URL of its folder */
  readonly name: string;
  /** the URL of its folder */
  readonly url: string;
  /** bytes that are stored; fewer than its files have if a download was interrupted */
  readonly byteLength: number;
  /** when it was loaded last */
  readonly lastUsed: Date;
  readonly store: StoreKind;
}

/** Lists what this origin has stored, the last used first. */
export async function listStored(): Promise<StoredModel[]> {
  const models: StoredModel[] = [];
  for (const store of await stores()) {
    for (const key of await store.keys()) {
      const shelf = await store.find(key);
      const record = shelf && (await readModel(shelf));
      if (!shelf || !record) continue;
      const sizes = (await shelf.names()).map(async (name) => (await shelf.read(name))?.size ?? 0);
      const byteLength = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
      const { name, url, usedAt } = record;
      models.push({ name, url, byteLength, lastUsed: new Date(usedAt), store: store.kind });
    }
  }
  return models.sort((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime());
}

/** Removes the model of this name or URL from every store; gives the bytes that were stored, 0 where it was not there. */
export async function removeStored(name: string): Promise<number> {
  const { page, locks } = browserStorage();
  const url = URL.canParse(name, page) ? lastingUrl(new URL(name, page).href) : name;
  let removed = 0;
  for (const model of await listStored()) {
    if (model.name !== name && model.url !== url) continue;
    const key = await shelfKey(model.url);
    const remove = async (lock: unknown): Promise<void> => {
      if (lock === null)
        throw new Error(`${name}: is being loaded, here or in another tab; remove it when that is done`);
      await (await openStore(model.store))?.remove(key);
      removed += model.byteLength;
    };
    await (locks ? locks.request(useLock(model.store, key), { ifAvailable: true }, remove) : remove(true));
  }
  return removed;
}

async function stores(): Promise<Store[]> {
  const all = [await openStore("opfs"), await openStore("cache")];
  return all.filter((store) => store !== null);
}

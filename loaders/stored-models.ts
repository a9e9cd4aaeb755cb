// The models that this browser stores: their list and their removal. Loaded on first use.

import type { StoredModel } from "./stored/listing.ts";

/**
 * Lists the models that this page's origin keeps between page loads, the last used first. In Node, which keeps models from the Hub
 * in the Hub's own cache, there are none.
 */
export async function storedModels(): Promise<StoredModel[]> {
  const { listStored } = await import("./stored/listing.ts");
  return listStored();
}

/**
 * Removes a model that this page's origin keeps, by the name or the URL that {@link storedModels} gives, or an address relative to the
 * page. Gives the bytes that were freed, 0 where it was not kept. Throws an Error while the model is being loaded, here or in another tab.
 */
export async function removeStoredModel(name: string | URL): Promise<number> {
  const { removeStored } = await import("./stored/listing.ts");
  return removeStored(String(name));
}

// Resolves the name of a model to a folder that exists, a model installed with this package, or a repository of the Hugging Face
// Hub. The rule is the same for `loadModel` and for the command line.

import { abortableFolder } from "./abortable-folder.ts";
import { FormatError, UnsupportedError } from "./errors.ts";
import { HUB_OPTIONS, type HubOptions } from "./hub-options.ts";
import { filesFolder, type FolderFiles, type ModelFolder } from "./model-folder.ts";
import { checkOptions } from "./options.ts";
import { shippedFolder, shippedName } from "./shipped-models.ts";
import type { StoreChoice } from "./stored/model-place.ts";
import { untilAborted } from "./until-aborted.ts";

/** A model's files, and where they are. */
export interface FoundFolder {
  readonly folder: ModelFolder;
  /** `files`: given by the caller */
  readonly where: "disk" | "web" | "hub" | "files";
}

/** Options of {@link findFolder}: those of a Hub, and where a page keeps what it loads. */
export interface FindOptions extends HubOptions {
  /**
   * In a page: where files are kept between page loads, so that they are fetched once. `"opfs"` is the origin private file system,
   * `"cache"` the Cache API; by default the first of them that there is; `false` keeps nothing. Node keeps nothing of a URL.
   */
  readonly store?: StoreChoice;
}

const REPOSITORY = /^[\w-][\w.-]*\/[\w-][\w.-]*$/;
const HUB_URL = "https://huggingface.co";

/**
 * Finds a model by its name. An `http(s)` or `file` URL is taken as it is. In Node, a path that exists wins, then the name of a model
 * that is installed with this package (`kedge-js-5m`), then `owner/name` is a repository of the Hub ({@link HubOptions}); where there
 * is a folder `owner/` it is a path. In a page, a name is an address relative to the page; where that has no config.json, the name
 * of the model in this package is its folder beside kedge's scripts, if they are served as they are installed, and `owner/name` is a
 * repository of the Hub. What comes from a server is read in large ranges, and kept between page loads ({@link FindOptions}). The
 * signal ends the search, and everything that is read from the folder.
 *
 * Throws a {@link FormatError} that says where it was looked for, and an {@link UnsupportedError} for a store that there is not.
 */
export async function findFolder(
  source: string | URL | FolderFiles | ModelFolder,
  options: FindOptions = {},
): Promise<FoundFolder> {
  checkOptions("findFolder", options, { ...HUB_OPTIONS, store: true });
  options.signal?.throwIfAborted();
  checkStoreChoice(options.store);
  const found = await untilAborted(find(source, options), options.signal);
  return { ...found, folder: abortableFolder(found.folder, options.signal) };
}

function checkStoreChoice(store: StoreChoice): void {
  if (store === undefined || store === false || store === "opfs" || store === "cache") return;
  throw new UnsupportedError(`store is ${JSON.stringify(store)}: use "opfs", "cache" or false`);
}

async function find(source: string | URL | FolderFiles | ModelFolder, options: FindOptions): Promise<FoundFolder> {
  if (typeof source !== "string" && !(source instanceof URL)) {
    return { folder: "open" in source ? source : filesFolder(source), where: "files" };
  }
  const scheme = /^(https?|file):\/\//i.exec(String(source))?.[1]?.toLowerCase();
  if (scheme?.startsWith("http")) return { folder: await folderAt(source, options), where: "web" };
  const { location: page } = globalThis as { readonly location?: { readonly href: string } };
  if (page !== undefined && scheme === undefined) return findInPage(String(source), page.href, options);
  const { findInNode } = await import("./find-in-node.ts");
  const { store: _store, ...downloads } = options; // a page's
  return findInNode(String(source), downloads);
}

/** A folder on a server. */
async function folderAt(
  url: string | URL,
  { fetch, signal, store, onProgress }: FindOptions,
  more: { readonly name?: string; readonly headers?: Readonly<Record<string, string>> | undefined } = {},
): Promise<ModelFolder> {
  const { storedFolder } = await import("./stored/stored-folder.ts");
  return storedFolder(url, { fetch, signal, store, onProgress, ...more });
}

async function findInPage(source: string, page: string, options: FindOptions): Promise<FoundFolder> {
  const { token, hubUrl = HUB_URL, revision = "main" } = options;
  const near = await folderAt(new URL(source, page), options);
  const shipped = shippedName(source);
  if (shipped === undefined && !REPOSITORY.test(source)) return { folder: near, where: "web" };
  // The page's own server may be out of reach when what is kept of the Hub is all that is needed.
  const nearby = await near.has("config.json").catch((error: unknown) => {
    options.signal?.throwIfAborted();
    if (!(error instanceof FormatError)) throw error;
    return error;
  });
  if (nearby === true) return { folder: near, where: "web" };
  const beside = shipped && shippedFolder(shipped);
  const address = `${hubUrl.replace(/\/+$/, "")}/${source}/resolve/${encodeURIComponent(revision)}`;
  const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` };
  const name = revision === "main" ? source : `${source}@${revision}`;
  const folder = await folderAt(beside || address, options, beside ? {} : { name, headers });
  if (await folder.has("config.json")) return { folder, where: beside ? "web" : "hub" };
  if (nearby !== false) throw nearby;
  const advice = beside ? `: copy the folder from node_modules/kedge/models` : "";
  throw new FormatError(source, `there is no config.json at ${near.name}, and none at ${folder.name}${advice}`);
}

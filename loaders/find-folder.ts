// Resolves the name of a model to a folder that exists, a model installed with this package, or a repository of the Hugging Face
// Hub. The rule is the same for `loadModel` and for the command line.

import { abortableFolder } from "./abortable-folder.ts";
import { FormatError } from "./errors.ts";
import type { HubOptions } from "./hub.ts";
import { httpFolder, openFolder, type FolderFiles, type ModelFolder } from "./model-folder.ts";
import { untilAborted } from "./until-aborted.ts";

/** A model's files, and where they are. */
export interface FoundFolder {
  readonly folder: ModelFolder;
  /** `files`: given by the caller */
  readonly where: "disk" | "web" | "hub" | "files";
}

const REPOSITORY = /^[\w-][\w.-]*\/[\w-][\w.-]*$/;
const HUB_URL = "https://huggingface.co";

/**
 * Finds a model by its name. An `http(s)` or `file` URL is taken as it is. In Node, a path that exists wins, then the name of a model
 * that is installed with this package (`kedge-js-5m`), then `owner/name` is a repository of the Hub ({@link HubOptions}); where there
 * is a folder `owner/` it is a path. In a page, a name is an address relative to the page; where that has no config.json, `owner/name`
 * is a repository of the Hub, whose files are then read by ranges and kept by the browser's cache alone. The signal ends the search,
 * and everything that is read from the folder.
 *
 * Throws a {@link FormatError} that says where it was looked for.
 */
export async function findFolder(
  source: string | URL | FolderFiles | ModelFolder,
  options: HubOptions = {},
): Promise<FoundFolder> {
  options.signal?.throwIfAborted();
  const found = await untilAborted(find(source, options), options.signal);
  return { ...found, folder: abortableFolder(found.folder, options.signal) };
}

async function find(source: string | URL | FolderFiles | ModelFolder, options: HubOptions): Promise<FoundFolder> {
  if (typeof source !== "string" && !(source instanceof URL)) return { folder: openFolder(source), where: "files" };
  const { fetch, signal } = options;
  const scheme = /^(https?|file):\/\//i.exec(String(source))?.[1]?.toLowerCase();
  if (scheme !== undefined) {
    return { folder: openFolder(source, { fetch, signal }), where: scheme === "file" ? "disk" : "web" };
  }
  const { location: page } = globalThis as { readonly location?: { readonly href: string } };
  if (page !== undefined) return findInPage(String(source), page.href, options);
  const { findInNode } = await import("./find-in-node.ts");
  return findInNode(String(source), options);
}

async function findInPage(source: string, page: string, options: HubOptions): Promise<FoundFolder> {
  const { fetch, signal, token, hubUrl = HUB_URL, revision = "main" } = options;
  const near = httpFolder(new URL(source, page), { fetch, signal });
  if (!REPOSITORY.test(source) || (await near.has("config.json"))) return { folder: near, where: "web" };
  const address = `${hubUrl.replace(/\/+$/, "")}/${source}/resolve/${encodeURIComponent(revision)}`;
  const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` };
  const folder = httpFolder(address, { fetch, signal, headers });
  if (await folder.has("config.json")) return { folder, where: "hub" };
  throw new FormatError(source, `there is no config.json at ${near.name}, and none at ${folder.name}`);
}

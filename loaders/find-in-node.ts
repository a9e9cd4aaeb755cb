// Where the name of a model leads in Node; a module of its own, so that pages do without it.

import { FormatError } from "./errors.ts";
import type { HubOptions } from "./hub.ts";
import { openFolder, type ModelFolder } from "./model-folder.ts";

interface NodeFolder {
  readonly folder: ModelFolder;
  readonly where: "disk" | "hub";
}

const REPOSITORY = /^[\w-][\w.-]*\/[\w-][\w.-]*$/;
const INSTALLED = /^(?:models\/)?(kedge-js-5m(?:-anchor)?)$/;

/** Finds a model by its name: see `findFolder`. Throws a FormatError that says where it was looked for. */
export async function findInNode(source: string, options: HubOptions): Promise<NodeFolder> {
  const { existsSync, statSync } = process.getBuiltinModule("node:fs");
  const path = existsSync(source) ? source : installedFolder(source);
  if (path !== undefined) {
    if (statSync(path).isDirectory()) return { folder: openFolder(path), where: "disk" };
    throw new FormatError(source, "is a file; wanted the folder it is in, with config.json");
  }
  // `models/typo` where there is a folder models/ is a path, not a repository.
  if (!REPOSITORY.test(source) || existsSync(source.slice(0, source.indexOf("/")))) {
    throw new FormatError(source, "no such folder");
  }
  const { hubFolder } = await import("./hub.ts");
  try {
    return { folder: await hubFolder(source, options), where: "hub" };
  } catch (cause) {
    options.signal?.throwIfAborted();
    if (!(cause instanceof FormatError)) throw cause;
    const reason = cause.message.slice(`${cause.file}: `.length);
    throw new FormatError(source, `no such folder, and ${reason}`, { cause });
  }
}

/** The folder of a model that was installed with the package, for a path under which there is none. */
function installedFolder(source: string): string | undefined {
  const name = INSTALLED.exec(source)?.[1];
  if (name === undefined) return undefined;
  const { existsSync } = process.getBuiltinModule("node:fs");
  const { fileURLToPath } = process.getBuiltinModule("node:url");
  // Bundlers take `new URL(…, import.meta.url)` for a file to put into a page; this one is for Node alone.
  const here = import.meta.url;
  const folder = fileURLToPath(new URL(`../models/${name}`, here));
  return existsSync(folder) ? folder : undefined;
}

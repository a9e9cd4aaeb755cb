// Where the name of a model leads in Node; a module of its own, so that pages do without it.

import { FormatError } from "./errors.ts";
import type { HubOptions } from "./hub-options.ts";
import { openFolder } from "./local-folder.ts";
import type { ModelFolder } from "./model-folder.ts";
import { shippedFolder, shippedName } from "./shipped-models.ts";

interface NodeFolder {
  readonly folder: ModelFolder;
  readonly where: "disk" | "hub";
}

const REPOSITORY = /^[\w-][\w.-]*\/[\w-][\w.-]*$/;

/** Finds a model by its name: see `findFolder`. Throws a FormatError that says where it was looked for. */
export async function findInNode(source: string, options: HubOptions): Promise<NodeFolder> {
  if (/^file:/i.test(source)) return { folder: openFolder(new URL(source)), where: "disk" };
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

/** The path of a model that is installed with this package: beside this module or, where it is bundled, in node_modules. */
function installedFolder(source: string): string | undefined {
  const name = shippedName(source);
  if (name === undefined) return undefined;
  const { existsSync } = process.getBuiltinModule("node:fs");
  const { createRequire } = process.getBuiltinModule("node:module");
  const { dirname, join } = process.getBuiltinModule("node:path");
  const { fileURLToPath } = process.getBuiltinModule("node:url");
  const beside = shippedFolder(name);
  if (beside?.protocol === "file:" && existsSync(beside)) return fileURLToPath(beside);
  try {
    const manifest = createRequire(join(process.cwd(), "program.js")).resolve("kedge/package.json");
    const folder = join(dirname(manifest), "models", name);
    return existsSync(folder) ? folder : undefined;
  } catch {
    return undefined; // it is not installed where this program runs
  }
}

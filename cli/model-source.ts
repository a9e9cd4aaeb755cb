// MODEL on the command line: a folder, an address of one, or owner/name on the Hugging Face Hub where there is no such folder.

import { existsSync, statSync } from "node:fs";
import { FormatError, hubFolder, openFolder, type ModelFolder } from "kedge/loaders";
import * as format from "./format.ts";
import { installedFolder } from "./shipped.ts";
import type { Terminal } from "./terminal.ts";

/** A model's files, and where they are. */
export interface FoundModel {
  readonly folder: ModelFolder;
  readonly where: "disk" | "web" | "hub";
}

const REPOSITORY = /^[\w-][\w.-]*\/[\w-][\w.-]*$/;

/** Finds the model. Throws a FormatError that says where it was looked for. */
export async function findModel(source: string, terminal: Terminal): Promise<FoundModel> {
  if (/^https?:\/\//i.test(source)) return { folder: openFolder(source), where: "web" };
  const path = existsSync(source) ? source : installedFolder(source);
  if (path !== undefined) {
    if (statSync(path).isDirectory()) return { folder: openFolder(path), where: "disk" };
    throw new FormatError(source, "is a file; wanted the folder it is in, with config.json");
  }
  if (!isRepository(source)) throw new FormatError(source, "no such folder");
  try {
    return { folder: await openHub(source, terminal), where: "hub" };
  } catch (cause) {
    terminal.signal.throwIfAborted();
    if (!(cause instanceof FormatError)) throw cause;
    const reason = cause.message.slice(`${cause.file}: `.length);
    throw new FormatError(source, `no such folder, and ${reason}`, { cause });
  }
}

/** `models/typo` where there is a folder models/ is a path, not a repository. */
function isRepository(source: string): boolean {
  return REPOSITORY.test(source) && !existsSync(source.slice(0, source.indexOf("/")));
}

async function openHub(repository: string, terminal: Terminal): Promise<ModelFolder> {
  let progress: ((file: string, loaded: number, total: number) => void) | undefined;
  const folder = await hubFolder(repository, {
    signal: terminal.signal,
    onProgress: ({ file, bytesLoaded, bytesTotal }) => progress?.(file, bytesLoaded, bytesTotal),
  });
  return {
    ...folder,
    open: (file) =>
      terminal.withBar((bar) => {
        progress = (name, loaded, total) =>
          bar.update(loaded, total, `${name}, ${format.bytes(loaded)} of ${format.bytes(total)}`);
        return folder.open(file);
      }),
  };
}

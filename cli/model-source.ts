// MODEL on the command line: found as `loadModel` finds it, with a bar for each file that comes from the Hub.

import { findFolder, type FoundFolder, type ModelFolder } from "kedge/loaders";
import * as format from "./format.ts";
import type { Terminal } from "./terminal.ts";

/** A model that was found, and its folder without bars of its own for downloads: loading has one bar for everything. */
export interface FoundModel extends FoundFolder {
  readonly bare: ModelFolder;
}

/** Finds the model. Throws a FormatError that says where it was looked for. */
export async function findModel(source: string, terminal: Terminal): Promise<FoundModel> {
  let progress: ((file: string, loaded: number, total: number) => void) | undefined;
  const { folder, where } = await findFolder(source, {
    signal: terminal.signal,
    onProgress: ({ file, bytesLoaded, bytesTotal }) => progress?.(file, bytesLoaded, bytesTotal),
  });
  if (where !== "hub") return { folder, where, bare: folder };
  const open = (file: string) =>
    terminal.withBar((bar) => {
      progress = (name, loaded, total) =>
        bar.update(loaded, total, `${name}, ${format.bytes(loaded)} of ${format.bytes(total)}`);
      return folder.open(file);
    });
  return { folder: { ...folder, open }, where, bare: folder };
}

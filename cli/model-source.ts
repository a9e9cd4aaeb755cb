// MODEL on the command line: found as `loadModel` finds it, with a bar for each file that comes from the Hub.

import { findFolder, type FoundFolder } from "kedge/loaders";
import * as format from "./format.ts";
import type { Terminal } from "./terminal.ts";

/** Finds the model. Throws a FormatError that says where it was looked for. */
export async function findModel(source: string, terminal: Terminal): Promise<FoundFolder> {
  let progress: ((file: string, loaded: number, total: number) => void) | undefined;
  const { folder, where } = await findFolder(source, {
    signal: terminal.signal,
    onProgress: ({ file, bytesLoaded, bytesTotal }) => progress?.(file, bytesLoaded, bytesTotal),
  });
  if (where !== "hub") return { folder, where };
  const open = (file: string) =>
    terminal.withBar((bar) => {
      progress = (name, loaded, total) =>
        bar.update(loaded, total, `${name}, ${format.bytes(loaded)} of ${format.bytes(total)}`);
      return folder.open(file);
    });
  return { folder: { ...folder, open }, where };
}

// Writes a folder atomically: it is filled under a temporary name in the same parent folder, and renamed when it is complete.

import { errorCode } from "./byte-source.ts";
import { FormatError } from "./errors.ts";
import { checkFileName } from "./model-folder.ts";

/** A folder that is being made. */
export interface FolderWriter {
  /** Where it will be. */
  readonly path: string;
  /** Creates a file of this length; `write` puts bytes anywhere in it. */
  addFile(name: string): Promise<{
    write(bytes: Uint8Array, at: number): Promise<void>;
    close(): Promise<void>;
  }>;
  /** Puts the folder in its place. Throws a {@link FormatError} if something has come there in the meantime. */
  commit(): Promise<void>;
  /** Removes what was written. Does nothing after `commit`. */
  discard(): Promise<void>;
}

/**
 * Begins a folder (Node).
 *
 * Throws a {@link FormatError} if there is something at `path` already, or if nothing can be written in its parent folder.
 */
export async function createFolder(path: string): Promise<FolderWriter> {
  const { lstat, mkdir, mkdtemp, open, rename, rm } = await import("node:fs/promises");
  const { basename, dirname, join, resolve } = await import("node:path");
  const target = resolve(path);
  async function throwIfThere(): Promise<void> {
    const found = await lstat(target).catch(() => null);
    if (found) throw new FormatError(path, "is there already; name a folder that is not");
  }
  await throwIfThere();
  let staged: string;
  try {
    await mkdir(dirname(target), { recursive: true });
    staged = await mkdtemp(join(dirname(target), `.${basename(target)}.unfinished-`));
  } catch (cause) {
    throw new FormatError(path, `cannot be written (${errorCode(cause) ?? String(cause)})`, { cause });
  }
  let isCommitted = false;
  return {
    path,
    async addFile(name) {
      checkFileName(path, name);
      if (name.includes("/")) await mkdir(dirname(join(staged, name)), { recursive: true });
      const handle = await open(join(staged, name), "wx");
      return {
        async write(bytes, at) {
          for (let done = 0; done < bytes.byteLength;) {
            try {
              done += (await handle.write(bytes, done, bytes.byteLength - done, at + done)).bytesWritten;
            } catch (cause) {
              throw new FormatError(path, `${name} cannot be written (${errorCode(cause) ?? String(cause)})`, {
                cause,
              });
            }
          }
        },
        close: () => handle.close(),
      };
    },
    async commit() {
      await throwIfThere();
      const { chmod } = await import("node:fs/promises");
      await chmod(staged, 0o777 & ~process.umask()); // mkdtemp makes it its owner's alone
      await rename(staged, target);
      isCommitted = true;
    },
    async discard() {
      if (!isCommitted) await rm(staged, { recursive: true, force: true });
    },
  };
}

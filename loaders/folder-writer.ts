// Writes a folder atomically: it is filled under a temporary name in the same parent folder, and renamed when it is complete. If the
// process exits before (not if a signal kills it), what was filled is removed.

import { FormatError } from "./errors.ts";
import { checkFileName } from "./model-folder.ts";
import { writeProblem } from "./whole-file.ts";

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
  const { lstat, mkdir, mkdtemp, open, rename, rm } = process.getBuiltinModule("node:fs/promises");
  const { rmSync } = process.getBuiltinModule("node:fs");
  const { basename, dirname, join, resolve } = process.getBuiltinModule("node:path");
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
    throw new FormatError(path, writeProblem(cause), { cause });
  }
  let isCommitted = false;
  const removeAtExit = (): void => rmSync(staged, { recursive: true, force: true });
  process.once("exit", removeAtExit);
  /** A step of writing a file, whose failure names it. */
  async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof FormatError) throw cause;
      throw new FormatError(path, `${name} ${writeProblem(cause)}`, { cause });
    }
  }
  return {
    path,
    async addFile(name) {
      checkFileName(path, name);
      const handle = await step(name, async () => {
        if (name.includes("/")) await mkdir(dirname(join(staged, name)), { recursive: true });
        return open(join(staged, name), "wx");
      });
      return {
        write: (bytes, at) =>
          step(name, async () => {
            for (let done = 0; done < bytes.byteLength;)
              done += (await handle.write(bytes, done, bytes.byteLength - done, at + done)).bytesWritten;
          }),
        close: () => step(name, () => handle.close()),
      };
    },
    async commit() {
      await throwIfThere();
      const { chmod } = process.getBuiltinModule("node:fs/promises");
      try {
        await chmod(staged, 0o777 & ~process.umask()); // mkdtemp makes it its owner's alone
        await rename(staged, target);
      } catch (cause) {
        throw new FormatError(path, writeProblem(cause), { cause });
      }
      isCommitted = true;
      process.off("exit", removeAtExit);
    },
    async discard() {
      if (isCommitted) return;
      await rm(staged, { recursive: true, force: true });
      process.off("exit", removeAtExit);
    },
  };
}

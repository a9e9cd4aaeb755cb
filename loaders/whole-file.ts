// Writes a file whole or not at all (Node, whose modules come through the process, so that bundlers for the browser never see them).
//
// The contents go to a file beside the target, which is then renamed over it: a reader finds the old file or the new one, whatever
// ends the process in between, and a full disk leaves the old one. Nothing but a regular file is ever renamed over. A link stays a
// link: the file that it leads to is replaced. A device or a pipe is written to as it is, where that is allowed.

import { errorCode } from "./byte-source.ts";
import { FormatError } from "./errors.ts";
import { checkOptions } from "./options.ts";

/** Options of {@link writeWholeFile}. */
export interface WholeFileOptions {
  /** refuse devices, pipes and sockets too; false by default: `/dev/stdout` is a fine place for a report */
  readonly isRegularOnly?: boolean | undefined;
}

/** Links that are followed before a path counts as a circle. */
const MAX_LINKS = 40;
/** Codes of the errors of a write, in words. */
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the quota is used up",
  EFBIG: "the file would become larger than is allowed here",
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  EROFS: "the file system is read-only",
  ENOENT: "there is no such folder",
  ENOTDIR: "a part of the path is no folder",
  EISDIR: "it is a folder",
  EPIPE: "its reader left",
  ELOOP: "its links lead in a circle",
};

/** The sentence for a failed write: `cannot be written (ENOSPC: the disk is full)`. */
export function writeProblem(cause: unknown): string {
  const code = errorCode(cause);
  if (code === undefined) return `cannot be written (${cause instanceof Error ? cause.message : String(cause)})`;
  return `cannot be written (${code}${REASONS[code] === undefined ? "" : `: ${REASONS[code]}`})`;
}

/**
 * Writes a file whole or not at all, and waits until it is on the disk.
 *
 * Throws a {@link FormatError} for a path at which there is something else than a regular file (but see `isRegularOnly`), and for
 * one that cannot be written; what was there is then there as before.
 */
export function writeWholeFile(path: string, contents: string | Uint8Array, options: WholeFileOptions = {}): void {
  const fs = process.getBuiltinModule("node:fs");
  const { basename, dirname, join } = process.getBuiltinModule("node:path");
  checkOptions("writeWholeFile", options, { isRegularOnly: true });
  const { target, kind, mode } = replaceableFile(path, options);
  try {
    if (kind === "stream") return fs.writeFileSync(target, contents);
    const staged = join(dirname(target), `.${basename(target)}.${process.pid}-${Date.now().toString(36)}.unfinished`);
    try {
      const descriptor = fs.openSync(staged, "wx", mode);
      try {
        fs.writeFileSync(descriptor, contents);
        if (mode !== undefined) fs.fchmodSync(descriptor, mode); // the process's mask took from it
        fs.fsyncSync(descriptor);
      } finally {
        fs.closeSync(descriptor);
      }
      fs.renameSync(staged, target);
    } catch (error) {
      fs.rmSync(staged, { force: true });
      throw error;
    }
  } catch (cause) {
    throw new FormatError(path, writeProblem(cause), { cause });
  }
}

/** A path that may be written. */
interface Replaceable {
  /** where its links lead */
  readonly target: string;
  /** a stream is a device, a pipe or a socket */
  readonly kind: "absent" | "file" | "stream";
  /** permissions of the file that is there */
  readonly mode?: number;
}

/**
 * What is at a path, its links followed. Throws a {@link FormatError} where {@link writeWholeFile} would because of it; a program that
 * takes long calls it before its work.
 */
export function replaceableFile(path: string, { isRegularOnly = false }: WholeFileOptions = {}): Replaceable {
  const fs = process.getBuiltinModule("node:fs");
  const { dirname, resolve } = process.getBuiltinModule("node:path");
  try {
    let target = resolve(path);
    let found = fs.lstatSync(target, { throwIfNoEntry: false });
    for (let links = 0; found?.isSymbolicLink(); links++) {
      if (links === MAX_LINKS) throw Object.assign(new Error("too many links"), { code: "ELOOP" });
      // a link of /proc/self/fd, as /dev/stdout is one, names a pipe that has no path
      const behind = fs.statSync(target, { throwIfNoEntry: false });
      if (behind && !behind.isFile() && !behind.isDirectory()) {
        found = behind;
        break;
      }
      target = resolve(dirname(target), fs.readlinkSync(target));
      found = fs.lstatSync(target, { throwIfNoEntry: false });
    }
    if (!found) {
      if (!fs.statSync(dirname(target), { throwIfNoEntry: false }))
        throw Object.assign(new Error(), { code: "ENOENT" });
      return { target, kind: "absent" };
    }
    if (found.isFile()) return { target, kind: "file", mode: found.mode & 0o777 };
    if (found.isDirectory()) throw new FormatError(path, "is a folder; name a file");
    if (isRegularOnly) throw new FormatError(path, "is a device, a pipe or a socket; name a regular file");
    return { target, kind: "stream" };
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(path, writeProblem(cause), { cause });
  }
}

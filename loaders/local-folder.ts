// Files and folders on disk (Node, whose modules come through the process, so that bundlers for the browser never see them); apart from
// other sources, so that pages do without them.

import { allocateBytes, checkOpen, checkRange, errorCode, promptSource, type ByteSource } from "./byte-source.ts";
import { FormatError } from "./errors.ts";
import type { HttpOptions } from "./http-source.ts";
import {
  checkFileName,
  filesFolder,
  httpFolder,
  missingFile,
  type FolderFiles,
  type ModelFolder,
} from "./model-folder.ts";

/** One system call reads at most this much: Node refuses 2 GiB and more, and an abort should not wait for long. */
const BYTES_PER_READ = 256 * 1024 * 1024;

/** The one folder in a model's folder whose files are part of the model. */
const TEMPLATE_FOLDER = "additional_chat_templates";

/**
 * Opens a file (Node). It stays open until `close()`. Positions beyond 2 GiB and 4 GiB are exact.
 *
 * Throws {@link FormatError} if there is no such file, or if it is a folder.
 */
export async function fileSource(path: string): Promise<ByteSource> {
  const { open } = process.getBuiltinModule("node:fs/promises");
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, "r");
  } catch (cause) {
    throw new FormatError(path, openProblem(cause), { cause });
  }
  const stat = await handle.stat();
  if (!stat.isFile()) {
    await handle.close();
    throw new FormatError(path, stat.isDirectory() ? "is a folder; wanted a file" : "is not a regular file");
  }
  const byteLength = stat.size;
  let isOpen = true;
  const source: ByteSource = {
    name: path,
    byteLength,
    async read(begin, end, signal, into) {
      signal?.throwIfAborted();
      checkOpen(path, isOpen);
      checkRange(path, byteLength, begin, end);
      const bytes = into ?? allocateBytes(path, end - begin);
      if (bytes.byteLength !== end - begin) {
        throw new RangeError(
          `${path}: ${end - begin} bytes were asked for, and room was given for ${bytes.byteLength}`,
        );
      }
      let filled = 0;
      while (filled < bytes.byteLength) {
        const wanted = Math.min(bytes.byteLength - filled, BYTES_PER_READ);
        const { bytesRead } = await handle.read(bytes, filled, wanted, begin + filled);
        signal?.throwIfAborted();
        if (bytesRead === 0) {
          throw new FormatError(
            path,
            `ends at byte ${begin + filled}, but bytes ${begin}..${end} were asked for: it was truncated while open`,
          );
        }
        filled += bytesRead;
      }
      return bytes;
    },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await handle.close();
    },
  };
  return promptSource(source);
}

function openProblem(cause: unknown): string {
  const code = errorCode(cause);
  if (code === "ENOENT" || code === "ENOTDIR") return "no such file";
  if (code === "EACCES" || code === "EPERM") return "this user may not read it";
  return `cannot be opened (${code ?? String(cause)})`;
}

/** A directory (Node). Nothing is read before a file is opened. */
export function localFolder(path: string): ModelFolder {
  const name = path.length > 1 ? path.replace(/[/\\]+$/, "") : path;
  async function list(): Promise<string[]> {
    const { readdir } = process.getBuiltinModule("node:fs/promises");
    try {
      const entries = await readdir(name, { withFileTypes: true });
      const files = entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
      for (const folder of entries) {
        if (!folder.isDirectory() || folder.name !== TEMPLATE_FOLDER) continue;
        const inside = await readdir(`${name}/${folder.name}`, { withFileTypes: true });
        files.push(...inside.filter((entry) => entry.isFile()).map((entry) => `${folder.name}/${entry.name}`));
      }
      return files;
    } catch (cause) {
      const code = errorCode(cause);
      if (code === "ENOENT") throw new FormatError(name, "no such folder", { cause });
      if (code === "ENOTDIR")
        throw new FormatError(name, "is a file; wanted a folder with config.json in it", { cause });
      throw new FormatError(name, `the folder cannot be read (${code ?? String(cause)})`, { cause });
    }
  }
  return {
    name,
    list,
    async has(file) {
      checkFileName(name, file);
      const { stat } = process.getBuiltinModule("node:fs/promises");
      const found = await stat(`${name}/${file}`).catch(() => null);
      return found?.isFile() ?? false;
    },
    async open(file) {
      if (!(await this.has(file))) throw missingFile(name, file, await list());
      return fileSource(`${name}/${file}`);
    },
  };
}

/**
 * The folder that a caller means: an `http(s)` URL, a path (in Node; in a page, an address relative to it), files at
 * hand, or a folder as it is.
 */
export function openFolder(where: string | URL | FolderFiles | ModelFolder, options: HttpOptions = {}): ModelFolder {
  if (where instanceof URL) {
    return where.protocol === "file:" ? localFolder(filePath(where)) : httpFolder(where, options);
  }
  if (typeof where === "string") {
    if (/^https?:\/\//i.test(where)) return httpFolder(where, options);
    if (/^file:\/\//i.test(where)) return openFolder(new URL(where));
    const page = (globalThis as { readonly location?: { readonly href: string } }).location;
    return page === undefined ? localFolder(where) : httpFolder(new URL(where, page.href), options);
  }
  return "open" in where ? where : filesFolder(where);
}

/** The path of a `file:` URL; on Windows without the slash before the drive. */
function filePath(url: URL): string {
  return decodeURIComponent(url.pathname).replace(/^\/(?=[a-zA-Z]:)/, "");
}

// A model folder is a flat set of named files: a directory, a URL with files below it, or files a page was given.
// Readers open `config.json` or `model.safetensors` in it and do not depend on which kind it is.

import { blobSource, bufferSource, type ByteSource } from "./byte-source.ts";
import { FormatError } from "./errors.ts";
import { HTTP_OPTIONS, tooLong } from "./http-answer.ts";
import { AnswerError, findHttpSource, probe, shownUrl, type HttpOptions } from "./http-source.ts";
import { finishInTurns } from "./work.ts";
import { checkOptions } from "./options.ts";

/** How a file is opened. */
export interface OpenFileOptions {
  /** a longer file is refused, before it is received where that is possible */
  readonly maxByteLength?: number | undefined;
}

/** A set of named files that make up a model. */
export interface ModelFolder {
  /** Its name in messages: a path, a URL, a repository. */
  readonly name: string;
  /** Opens a file, `/` between folders; throws {@link FormatError} naming what was looked for and what there is. */
  open(file: string, options?: OpenFileOptions): Promise<ByteSource>;
  has(file: string): Promise<boolean>;
  /** All file names, where they can be known. */
  list?(): Promise<string[]>;
  /** What is to be told about where its files come from, one sentence each; more may come while files are read and closed. */
  readonly notes?: readonly string[];
  /** Has this listener told, too, how far downloads of its files have come. */
  onDownload?(listener: (progress: DownloadProgress) => void): void;
}

/** How far a download has come. */
export interface DownloadProgress {
  readonly file: string;
  readonly bytesLoaded: number;
  readonly bytesTotal: number;
}

/** Files by name, as {@link filesFolder} takes them. */
export type FolderFiles = ReadonlyMap<string, Blob | ArrayBuffer | Uint8Array> | readonly File[];

/** Most file names that a message lists. */
const MAX_NAMES_TOLD = 12;

/**
 * Throws {@link FormatError} unless `file` names something inside the folder: relative, `/` between parts, no `..`.
 * Names come out of downloaded files, so this is what keeps them from reaching outside.
 */
export function checkFileName(folder: string, file: string): void {
  const parts = file.split("/");
  const isInside =
    file !== "" &&
    !/[\\\0]/.test(file) &&
    !/^[a-zA-Z]:/.test(file) &&
    parts.every((part) => part !== "" && part !== "." && part !== "..");
  if (!isInside) throw new FormatError(folder, `${JSON.stringify(file)} does not name a file inside this folder`);
}

/** The error for a file that is not there. */
export function missingFile(folder: string, file: string, names: readonly string[] | undefined): FormatError {
  if (names === undefined) return new FormatError(folder, `there is no ${file}`);
  if (names.length === 0) return new FormatError(folder, `there is no ${file}; the folder is empty`);
  const told = [...names].sort().slice(0, MAX_NAMES_TOLD).join(", ");
  const rest = names.length > MAX_NAMES_TOLD ? ` and ${names.length - MAX_NAMES_TOLD} more` : "";
  return new FormatError(folder, `there is no ${file}; the folder has ${told}${rest}`);
}

/** What `has` receives of a file at most, from a server without ranges. */
const MOST_TO_KNOW = 1 << 20;

/** The address of a file below a URL, whose query (a signature) is that of every file. */
export function fileAddress(baseUrl: string | URL, file: string): string {
  const [, path = "", query = ""] = /^([^?#]*)(\?[^#]*)?/.exec(String(baseUrl)) ?? [];
  return `${path.replace(/\/+$/, "")}/${file.split("/").map(encodeURIComponent).join("/")}${query}`;
}

/**
 * Files below a URL; a query of it (a signature) is put to the address of every file. What is in it cannot be listed; `has` asks the
 * server. An HTML page in place of a file (as development servers send for whatever they do not know) counts as "not there", and
 * so does 403 (as object stores answer for what is not there to those who may not list their files).
 */
export function httpFolder(baseUrl: string | URL, options: HttpOptions = {}): ModelFolder {
  checkOptions("httpFolder", options, HTTP_OPTIONS);
  const base = shownUrl(baseUrl).replace(/\/+$/, "");
  /** Opened by `has`, waiting for `open`. */
  const found = new Map<string, ByteSource>();
  const urlOf = (file: string): string => {
    checkFileName(base, file);
    return fileAddress(baseUrl, file);
  };
  return {
    name: base,
    async has(file) {
      if (found.has(file)) return true;
      try {
        const { isThere, source } = await probe(urlOf(file), { ...options, maxWholeByteLength: MOST_TO_KNOW });
        if (source) found.set(file, source);
        return isThere;
      } catch (error) {
        if (error instanceof AnswerError && (error.status === 200 || error.status === 403)) return false;
        throw error;
      }
    },
    async open(file, { maxByteLength } = {}) {
      const source = found.get(file) ?? (await findHttpSource(urlOf(file), { ...options, maxByteLength }));
      found.delete(file);
      if (source === null) throw missingFile(base, file, undefined);
      return source;
    },
  };
}

/** Why a file that `has` denies is refused, where a server says more than that it is not there. */
export async function refusalOf(folder: ModelFolder, file: string): Promise<FormatError | undefined> {
  try {
    await (await folder.open(file)).close();
  } catch (error) {
    if (error instanceof AnswerError) return error;
  }
  return undefined;
}

/**
 * Files in memory: a map from name to bytes, or the `File`s of an `<input type="file" webkitdirectory>` or a drop,
 * whose common top folder is taken off.
 */
export function filesFolder(files: FolderFiles, name = "files"): ModelFolder {
  const byName = new Map<string, Blob | ArrayBuffer | Uint8Array>(
    Array.isArray(files) ? relativeNames(files) : (files as ReadonlyMap<string, Blob | ArrayBuffer | Uint8Array>),
  );
  return {
    name,
    async list() {
      return [...byName.keys()];
    },
    async has(file) {
      return byName.has(file);
    },
    async open(file) {
      checkFileName(name, file);
      const data = byName.get(file);
      if (data === undefined) throw missingFile(name, file, [...byName.keys()]);
      return data instanceof Blob ? blobSource(data, file) : bufferSource(data, file);
    },
  };
}

function relativeNames(files: readonly File[]): [string, File][] {
  const paths = files.map((file) => {
    const path =
      "webkitRelativePath" in file && typeof file.webkitRelativePath === "string" ? file.webkitRelativePath : "";
    return path === "" ? file.name : path;
  });
  const top = paths[0]?.split("/")[0];
  const hasTop = paths.every((path) => path.startsWith(`${top}/`));
  return files.map((file, i) => [hasTop ? (paths[i] ?? "").slice((top ?? "").length + 1) : (paths[i] ?? ""), file]);
}

/** Reads a whole file; a longer one than `maxByteLength` is refused. */
async function readWhole(
  folder: ModelFolder,
  file: string,
  maxByteLength: number,
  signal: AbortSignal | undefined,
): Promise<{ readonly name: string; readonly bytes: Uint8Array }> {
  const source = await folder.open(file, { maxByteLength });
  try {
    const { name, byteLength } = source;
    if (byteLength > maxByteLength) throw tooLong(name, byteLength, maxByteLength);
    const bytes = await source.read(0, byteLength, signal);
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
      throw new FormatError(name, "is compressed with gzip, and the server does not say so: store it as it is");
    }
    return { name, bytes };
  } finally {
    await source.close();
  }
}

function decoded(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(name, "is not UTF-8 text", { cause });
  }
}

/**
 * Reads a whole text file.
 *
 * @param maxByteLength refuses a longer one, so that a wrong file is not read into memory
 */
export async function readText(
  folder: ModelFolder,
  file: string,
  maxByteLength: number,
  signal?: AbortSignal,
): Promise<string> {
  const { name, bytes } = await readWhole(folder, file, maxByteLength, signal);
  return decoded(name, bytes);
}

/**
 * Gives the lines of a text file to `each`, with pauses in which other work of this thread goes on; an empty last one is left out.
 */
export async function readLines(
  folder: ModelFolder,
  file: string,
  maxByteLength: number,
  signal: AbortSignal | undefined,
  each: (line: string, number: number) => void,
): Promise<void> {
  const { name, bytes } = await readWhole(folder, file, maxByteLength, signal);
  const { eachLine } = await import("./lines-in-turns.ts");
  return finishInTurns(eachLine(bytes, name, each), signal);
}

/** A longer JSON text is read with pauses. */
const LONG_JSON_BYTES = 2_500_000;

/** Reads a JSON file of at most `maxByteLength` bytes; the value is whatever it says and must be checked. */
export async function readJson(
  folder: ModelFolder,
  file: string,
  maxByteLength: number,
  signal?: AbortSignal,
): Promise<unknown> {
  return readLargeJson(folder, file, maxByteLength, signal, () => false);
}

/**
 * As {@link readJson}; a long object or list is a `LargeObject` or a `LargeList` where `mayBeLarge` says so of the names on the way to it
 * ("model.vocab"). Elsewhere an object of more than 100,000 members is refused.
 */
export async function readLargeJson(
  folder: ModelFolder,
  file: string,
  maxByteLength: number,
  signal: AbortSignal | undefined,
  mayBeLarge: (path: string) => boolean,
): Promise<unknown> {
  const { name, bytes } = await readWhole(folder, file, maxByteLength, signal);
  const start = new TextDecoder().decode(bytes.subarray(0, 64)).trimStart();
  if (start.startsWith("version https://git-lfs")) {
    throw new FormatError(file, "is a Git LFS pointer, not the file itself: run `git lfs pull` in its repository");
  }
  if (start.startsWith("<")) throw new FormatError(file, "is an HTML page, not JSON: download the file itself");
  if (bytes.byteLength > LONG_JSON_BYTES) {
    const { parseJson } = await import("./json-in-turns.ts");
    return finishInTurns(parseJson(bytes, file, mayBeLarge), signal);
  }
  const text = decoded(name, bytes);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new FormatError(file, `is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

// Models from the Hugging Face Hub, kept in the cache that Hugging Face's own tools use, in their layout
// (models--owner--name/snapshots/<commit>/<file>): what either has downloaded the other finds. Node only.
// A download is written to `<file>.<size>.part` and renamed when it is whole, so a file in the cache is always a
// whole file, and an interrupted download continues where it stopped.

import type { FileHandle } from "node:fs/promises";
import { errorCode } from "./byte-source.ts";
import { FormatError, UnsupportedError } from "./errors.ts";
import { HUB_OPTIONS, type HubOptions } from "./hub-options.ts";
import { checkOptions } from "./options.ts";
import { endedAfter, messageOf, tooLong } from "./http-answer.ts";
import { fileSource } from "./local-folder.ts";
import { checkFileName, missingFile, type ModelFolder } from "./model-folder.ts";
import { eitherSignal, pause, untilAborted } from "./until-aborted.ts";

export type { HubOptions } from "./hub-options.ts";

interface Entry {
  readonly byteLength: number;
  /** Known for the files that Git LFS keeps, which are the large ones. */
  readonly sha256: string | undefined;
}

const COMMIT = /^[0-9a-f]{40}$/;
/** Attempts in a row that bring nothing new before a download is given up. */
const MAX_ATTEMPTS = 4;
const FIRST_PAUSE_MS = 200;

/**
 * A repository of the Hub as a folder. Files are downloaded when they are first opened; without a network, what is in
 * the cache still opens.
 *
 * Throws {@link FormatError} if there is no such repository or revision, or no right to read it.
 */
export async function hubFolder(repository: string, options: HubOptions = {}): Promise<ModelFolder> {
  checkOptions("hubFolder", options, HUB_OPTIONS);
  if (!/^[\w.-]+(\/[\w.-]+)?$/.test(repository) || repository.split("/").some((part) => /^\.+$/.test(part))) {
    throw new FormatError(repository, 'is no repository name; wanted "owner/name"');
  }
  const { env } = await node();
  const hub = await import("@huggingface/hub");
  const { constants, mkdir, open, readFile, readdir, rename, stat, unlink, writeFile } =
    process.getBuiltinModule("node:fs/promises");
  const { dirname, join } = process.getBuiltinModule("node:path");

  const revision = options.revision ?? "main";
  const name = revision === "main" ? repository : `${repository}@${revision}`;
  const cacheDir = options.cacheDir ?? hub.getHFHubCachePath();
  const storage = join(cacheDir, `models--${repository.replace("/", "--")}`);
  const token = options.token ?? env["HF_TOKEN"];
  const hubUrl = (options.hubUrl ?? env["HF_ENDPOINT"])?.replace(/\/+$/, "");
  const { signal } = options;
  const request: typeof fetch = (input, init) => {
    const own = eitherSignal(signal, init?.signal ?? undefined);
    return untilAborted((options.fetch ?? fetch)(input, own === undefined ? init : { ...init, signal: own }), signal);
  };
  const access = {
    repo: { type: "model" as const, name: repository },
    fetch: request,
    ...(token === undefined || token === "" ? {} : { accessToken: token }),
    ...(hubUrl === undefined || hubUrl === "" ? {} : { hubUrl }),
  };

  const listeners = options.onProgress ? [options.onProgress] : [];
  const refFile = join(storage, "refs", ...revision.split("/"));
  if (revision.split("/").some((part) => part === "" || part === "." || part === "..")) {
    throw new FormatError(repository, `${JSON.stringify(revision)} is no revision`);
  }
  const commit = await findCommit();
  const snapshot = join(storage, "snapshots", commit);
  let listing: Promise<ReadonlyMap<string, Entry>> | undefined;

  /** The commit that the revision stands for now; without a network, the one it stood for last time. */
  async function findCommit(): Promise<string> {
    if (COMMIT.test(revision)) return revision;
    try {
      const asking = hub.modelInfo({ ...access, name: repository, revision, additionalFields: ["sha"] });
      const info = await untilAborted(asking, signal);
      if (!COMMIT.test(info.sha))
        throw new FormatError(name, `the server names the commit ${JSON.stringify(info.sha)}`);
      await mkdir(dirname(refFile), { recursive: true });
      await writeFile(refFile, info.sha);
      return info.sha;
    } catch (error) {
      signal?.throwIfAborted();
      const known = isOffline(error) ? (await readFile(refFile, "utf8").catch(() => "")).trim() : "";
      if (COMMIT.test(known)) return known;
      throw asSentence(name, error);
    }
  }

  /** Every file of the repository. */
  async function listFiles(): Promise<ReadonlyMap<string, Entry>> {
    const found = new Map<string, Entry>();
    try {
      for await (const entry of withSignal(hub.listFiles({ ...access, revision: commit, recursive: true }), signal)) {
        if (entry.type !== "file") continue;
        found.set(entry.path, { byteLength: entry.lfs?.size ?? entry.size, sha256: entry.lfs?.oid });
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (!isOffline(error)) throw asSentence(name, error);
      const cached = await readdir(snapshot, { recursive: true }).catch(() => [] as string[]);
      if (cached.length === 0) throw asSentence(name, error);
      for (const file of cached) {
        if (!file.endsWith(".part") && (await isCached(file)))
          found.set(file.replaceAll("\\", "/"), { byteLength: 0, sha256: undefined });
      }
    }
    return found;
  }

  async function entries(): Promise<ReadonlyMap<string, Entry>> {
    listing ??= listFiles();
    try {
      return await listing;
    } catch (error) {
      listing = undefined;
      throw error;
    }
  }

  const pathOf = (file: string): string => join(snapshot, ...file.split("/"));
  const isCached = async (file: string): Promise<boolean> =>
    (await stat(pathOf(file)).catch(() => null))?.isFile() ?? false;

  async function download(file: string, { byteLength, sha256 }: Entry): Promise<void> {
    const path = pathOf(file);
    const part = `${path}.${byteLength}.part`;
    await mkdir(dirname(path), { recursive: true });
    let fruitless = 0;
    for (;;) {
      let loaded = (await stat(part).catch(() => null))?.size ?? 0;
      if (loaded > byteLength) {
        await unlink(part);
        loaded = 0;
      }
      const loadedBefore = loaded;
      try {
        const blob = await untilAborted(hub.downloadFile({ ...access, path: file, revision: commit }), signal);
        if (blob === null) throw missingFile(name, file, undefined);
        if (blob.size !== byteLength) {
          throw new FormatError(name, `${file} is listed with ${byteLength} bytes, but the server has ${blob.size}`);
        }
        // Written by position, not appended: two processes that download the same file write the same bytes.
        const handle = await open(part, constants.O_RDWR | constants.O_CREAT);
        try {
          if (loaded < byteLength) {
            const chunks = blob.slice(loaded).stream() as unknown as AsyncIterable<Uint8Array>;
            for await (const chunk of withSignal(chunks, signal)) {
              await writeAll(handle, chunk, loaded);
              loaded += chunk.byteLength;
              for (const listener of listeners) listener({ file, bytesLoaded: loaded, bytesTotal: byteLength });
            }
          }
          await handle.sync();
        } finally {
          await handle.close();
        }
        if (loaded > byteLength) {
          await unlink(part);
          throw new FormatError(name, `${file} has ${byteLength} bytes, but the server sent ${loaded}`);
        }
        if (loaded === byteLength) {
          if (sha256 !== undefined && (await hashOf(part, signal)) !== sha256) {
            await unlink(part);
            throw new FormatError(
              name,
              `${file} did not arrive as it was sent: its SHA-256 is not ${sha256}; try again`,
            );
          }
          await rename(part, path);
          return;
        }
        throw new TypeError(endedAfter(loaded, byteLength));
      } catch (error) {
        signal?.throwIfAborted();
        if (!isOffline(error)) throw asSentence(name, error);
        fruitless = loaded > loadedBefore ? 0 : fruitless + 1;
        if (fruitless >= MAX_ATTEMPTS) throw asSentence(name, error);
        await pause(FIRST_PAUSE_MS * 2 ** Math.max(0, fruitless - 1), signal);
      }
    }
  }

  return {
    name,
    onDownload(listener) {
      listeners.push(listener);
    },
    async list() {
      return [...(await entries()).keys()];
    },
    async has(file) {
      checkFileName(name, file);
      return (await isCached(file)) || (await entries()).has(file);
    },
    async open(file, { maxByteLength = Infinity } = {}) {
      checkFileName(name, file);
      if (!(await isCached(file))) {
        const known = await entries();
        const entry = known.get(file);
        if (entry === undefined) throw missingFile(name, file, [...known.keys()]);
        if (entry.byteLength > maxByteLength) throw tooLong(file, entry.byteLength, maxByteLength);
        await download(file, entry);
      }
      return fileSource(pathOf(file));
    },
  };
}

/** The same values; the wait for each ends with the signal. */
async function* withSignal<T>(values: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
  const iterator = values[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await untilAborted(iterator.next(), signal);
      if (done) return;
      yield value;
    }
  } finally {
    iterator.return?.().catch(() => undefined);
  }
}

async function node(): Promise<{ env: Readonly<Record<string, string | undefined>> }> {
  const { process } = globalThis as { process?: { env?: Readonly<Record<string, string | undefined>> } };
  if (process?.env === undefined) {
    throw new UnsupportedError(
      "the Hub's cache needs Node; in a page give loadModel the URL of a folder with the files",
    );
  }
  return { env: process.env };
}

async function writeAll(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < chunk.byteLength;) {
    written += (await handle.write(chunk, written, chunk.byteLength - written, position + written)).bytesWritten;
  }
}

async function hashOf(path: string, signal: AbortSignal | undefined): Promise<string> {
  const { createHash } = process.getBuiltinModule("node:crypto");
  const { createReadStream } = process.getBuiltinModule("node:fs");
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    signal?.throwIfAborted();
    hash.update(chunk as Uint8Array);
  }
  return hash.digest("hex");
}

/** Whether another attempt may help: no connection, or a server in trouble. */
function isOffline(error: unknown): boolean {
  if (error instanceof FormatError) return false;
  const status = statusOf(error);
  if (status !== undefined) return status === 429 || status >= 500;
  return (
    error instanceof TypeError || errorCode(error)?.startsWith("UND_ERR") === true || errorCode(error) === "ECONNRESET"
  );
}

function statusOf(error: unknown): number | undefined {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number"
    ? error.statusCode
    : undefined;
}

function asSentence(name: string, error: unknown): unknown {
  if (error instanceof FormatError) return error;
  const status = statusOf(error);
  if (status === 404) return new FormatError(name, "the Hub has no such repository or revision", { cause: error });
  if (status === 401 || status === 403) {
    return new FormatError(name, `the Hub answered ${status}: it wants a token with access to this repository`, {
      cause: error,
    });
  }
  if (status !== undefined) return new FormatError(name, `the Hub answered ${status}`, { cause: error });
  if (!isOffline(error)) return error;
  return new FormatError(name, `the Hub cannot be reached: ${messageOf(error)}`, { cause: error });
}

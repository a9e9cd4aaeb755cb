// The version of a file on a server: its length and what the server says of its state, by which a stored copy is held against it.

import { messageOf } from "../http-answer.ts";
import type { HttpOptions } from "../http-source.ts";
import { eitherSignal } from "../until-aborted.ts";
import type { PageRequest } from "./browser-storage.ts";

/** What tells two states of a file apart. */
export interface FileVersion {
  /** undefined where an answer does not tell */
  readonly byteLength: number | undefined;
  readonly etag: string | null;
  readonly lastModified: string | null;
}

/** What a server says of a file that was stored. */
export type VersionAnswer =
  { readonly kind: "same" } | { readonly kind: "other" } | { readonly kind: "unreachable"; readonly reason: string };

/** How long a server may take to answer before the stored copy is taken. */
const PATIENCE_MILLISECONDS = 10_000;

/**
 * The version that an answer is of. An ETag is taken without the marks of weak and of compressed answers: the same file is sent with
 * and without them.
 */
export function versionIn(answer: Response): FileVersion {
  const { headers } = answer;
  const etag =
    headers
      .get("etag")
      ?.replace(/^W\//, "")
      .replace(/[-;:]+(?:gzip|br|zstd|deflate)"$/, '"') ?? null;
  const range = /^bytes (?:\d+-\d+|\*)\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1];
  const isEncoded = (headers.get("content-encoding") ?? "identity") !== "identity";
  const length = answer.status === 206 || isEncoded ? null : headers.get("content-length");
  const byteLength = range ?? length;
  return {
    byteLength: byteLength === null || byteLength === undefined ? undefined : Number(byteLength),
    etag,
    lastModified: headers.get("last-modified"),
  };
}

/** Whether a version can be told from others: a server may send neither an ETag nor a date, or hide both from this page (CORS). */
export function isTold({ etag, lastModified }: FileVersion): boolean {
  return etag !== null || lastModified !== null;
}

/** Whether two answers are of the same state of a file: the same ETag, or where one lacks it the same date, and the same length. */
export function isSameVersion(a: FileVersion, b: FileVersion): boolean {
  if (a.byteLength !== undefined && b.byteLength !== undefined && a.byteLength !== b.byteLength) return false;
  if (a.etag !== null && b.etag !== null) return a.etag === b.etag;
  return a.lastModified !== null && a.lastModified === b.lastModified;
}

/**
 * Asks whether a file is still the one that was stored: by HEAD, and by a range of one byte where that does not say so.
 * Throws the signal's reason when it is aborted.
 */
export async function askVersion(
  address: string,
  stored: FileVersion,
  { fetch: send = fetch, headers, signal }: HttpOptions,
): Promise<VersionAnswer> {
  let answer: VersionAnswer = { kind: "other" };
  for (const ask of [{ method: "HEAD" }, { headers: { range: "bytes=0-0" } }]) {
    const timeout = AbortSignal.timeout(PATIENCE_MILLISECONDS);
    try {
      const request: PageRequest = {
        ...ask,
        headers: { ...headers, ...ask.headers },
        cache: "no-store",
        signal: eitherSignal(signal, timeout)!,
      };
      const response = await send(address, request);
      await response.body?.cancel();
      if (response.ok && isSameVersion(versionIn(response), stored)) return { kind: "same" };
      const isInTrouble = response.status === 429 || response.status >= 500;
      answer = isInTrouble ? { kind: "unreachable", reason: `it answered ${response.status}` } : { kind: "other" };
    } catch (error) {
      signal?.throwIfAborted();
      const reason = timeout.aborted ? `it gave no answer in ${PATIENCE_MILLISECONDS / 1000} s` : messageOf(error);
      return { kind: "unreachable", reason };
    }
  }
  return answer;
}

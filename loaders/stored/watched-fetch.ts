// `fetch` that remembers which version of each file was answered, refuses a change in the middle, and counts bytes as they come.

import { FormatError } from "../errors.ts";
import { shownUrl } from "../http-source.ts";
import type { PageRequest } from "./browser-storage.ts";
import { isSameVersion, isTold, versionIn, type FileVersion } from "./file-version.ts";

/** A `fetch`, and what it has seen. */
export interface WatchedFetch {
  readonly fetch: typeof fetch;
  /** The version of the first answer from this address. */
  versionOf(address: string): FileVersion | undefined;
}

/**
 * Wraps a `fetch`.
 *
 * @param onBytes called with each piece's length, and its address
 * @param init what every request is made with
 */
export function watchedFetch(
  send: typeof fetch,
  onBytes: (address: string, byteLength: number) => void,
  init: PageRequest = {},
): WatchedFetch {
  const versions = new Map<string, FileVersion>();
  return {
    versionOf: (address) => versions.get(address),
    async fetch(input, own) {
      const address = String(input);
      const answer = await send(input, { ...init, ...own });
      if (answer.status !== 200 && answer.status !== 206) return answer;
      const version = versionIn(answer);
      const before = versions.get(address);
      versions.set(address, before ?? version);
      if (before && isChanged(before, version)) {
        await answer.body?.cancel();
        throw new FormatError(shownUrl(address), "was changed on the server while it was read: load it again");
      }
      if (answer.body === null) return answer;
      const counted = answer.body.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, stream) {
            onBytes(address, chunk.byteLength);
            stream.enqueue(chunk);
          },
        }),
      );
      const { status, statusText, headers } = answer;
      return new Response(counted as ReadableStream<Uint8Array<ArrayBuffer>>, { status, statusText, headers });
    },
  };
}

/** Whether parts of the two must not be put together. Weak ETags alone may differ between the servers of one site. */
function isChanged(before: FileVersion, now: FileVersion): boolean {
  const hasSameDate = before.lastModified !== null && before.lastModified === now.lastModified;
  return isTold(before) && isTold(now) && !hasSameDate && !isSameVersion({ ...before, byteLength: undefined }, now);
}

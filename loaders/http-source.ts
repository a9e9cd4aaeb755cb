// Bytes over HTTP. A first request asks for the opening block: its answer tells the length (Content-Range), whether the
// server understands ranges, and usually already holds the header of a weights file. A server that ignores ranges
// sends the whole file: it is kept in memory and served from there, so such a server costs one download and
// as much memory as the file is long. A dropped connection is resumed where it broke. Every later answer must be of the same version of the
// file (its ETag, or else its date): a header for that, If-Range, is one that servers seldom allow pages of other origins to send.

import { allocateBytes, checkOpen, checkRange, type ByteSource } from "./byte-source.ts";
import { FormatError } from "./errors.ts";
import {
  AnswerError,
  HTTP_OPTIONS,
  checkAnswer,
  checkVersion,
  chunks,
  contentLength,
  contentRange,
  dismiss,
  endedAfter,
  isEncoded,
  pauseOrGiveUp,
  readBody,
  request,
  tooLong,
  versionOf,
  type HttpOptions,
  type Resource,
  type Version,
} from "./http-answer.ts";
import { checkOptions, wholeNumbers } from "./options.ts";
import { eitherSignal } from "./until-aborted.ts";

export { AnswerError, type HttpOptions } from "./http-answer.ts";

/** How much the first request asks for: the header of most weights files, in one round trip. */
const OPENING_BYTES = 64 * 1024;
/** The longest file that is taken into memory from a server that does not say its length. */
const MAX_UNANNOUNCED_BYTES = 2 ** 31;
/** Bytes that are read twice from a server that does not say which bytes it sends. */
const PROOF_BYTES = 32;

/** Limits of what is received. */
export interface HttpLimits {
  /** a longer file is refused, before or while it comes */
  readonly maxByteLength?: number | undefined;
  /** a longer file that would have to be received whole is not: null stands for it */
  readonly maxWholeByteLength?: number | undefined;
}

/**
 * Opens a URL as a byte source.
 *
 * Throws {@link FormatError} if the server answers with an error or an HTML page, contradicts itself about ranges, or
 * cannot be reached after several attempts.
 */
export async function httpSource(url: string | URL, options: HttpOptions & HttpLimits = {}): Promise<ByteSource> {
  checkOptions("httpSource", options, { ...HTTP_OPTIONS, maxByteLength: true, maxWholeByteLength: true });
  const { maxByteLength, maxWholeByteLength } = options;
  wholeNumbers("httpSource", { maxByteLength, maxWholeByteLength }, 0);
  const source = await findHttpSource(url, options);
  if (source === null) throw new FormatError(shownUrl(url), "the server answered 404: there is no such file");
  return source;
}

/** Like {@link httpSource}, but null where there is no such file (404 or 410). */
export async function findHttpSource(
  url: string | URL,
  options: HttpOptions & HttpLimits = {},
): Promise<ByteSource | null> {
  const { maxWholeByteLength: _, ...rest } = options;
  return (await probe(url, rest)).source;
}

/** Whether there is such a file, and its source unless that would take more than `maxWholeByteLength` bytes. */
export async function probe(
  url: string | URL,
  options: HttpOptions & HttpLimits,
): Promise<{ readonly isThere: boolean; readonly source: ByteSource | null }> {
  const resource: Resource = { ...options, url: String(url), name: shownUrl(url) };
  for (let failures = 1; ; failures++) {
    try {
      const opening = await openOnce(resource, options);
      if (opening === "absent") return { isThere: false, source: null };
      if (opening === "long") return { isThere: true, source: null };
      return { isThere: true, source: rangedSource(resource, opening) };
    } catch (error) {
      await pauseOrGiveUp(resource.name, error, failures, options.signal);
    }
  }
}

/** A URL without its query, which may hold a signature, and what follows it. */
export function shownUrl(url: string | URL): string {
  return String(url).replace(/[?#].*$/s, "");
}

interface Opening {
  /** the first bytes of the file, or all of them */
  readonly bytes: Uint8Array;
  readonly byteLength: number;
  readonly version: Version;
  /** false where the server does not say which bytes it sends */
  readonly saysRanges: boolean;
}

async function openOnce(resource: Resource, limits: HttpLimits): Promise<Opening | "absent" | "long"> {
  const { name, signal } = resource;
  const { maxByteLength: most = Infinity } = limits;
  const answer = await request(resource, { range: `bytes=0-${OPENING_BYTES - 1}` }, signal);
  if (answer.status === 404 || answer.status === 410) {
    dismiss(answer);
    return "absent";
  }
  if (answer.status === 416) {
    dismiss(answer);
    const total = /\/(\d+)\s*$/.exec(answer.headers.get("content-range") ?? "")?.[1];
    if (Number(total ?? 0) > 0)
      throw new FormatError(name, `the server has ${total} bytes and refuses to send the first`);
    return { bytes: new Uint8Array(0), byteLength: 0, version: versionOf(answer), saysRanges: true };
  }
  checkAnswer(name, answer);
  if (answer.status === 200) return wholeOf(resource, answer, limits);
  const range = contentRange(name, answer);
  if (range !== undefined && range.begin !== 0) {
    dismiss(answer);
    throw new FormatError(name, `asked for bytes from 0, the server sent bytes from ${range.begin}`);
  }
  const isWhole = range !== undefined && range.end === range.total;
  if (isEncoded(answer)) {
    // A part of a compressed file: its ranges are not those of the file.
    if (isWhole) return wholeOf(resource, answer, limits);
    dismiss(answer);
    return askForWhole(resource, limits);
  }
  const byteLength = range?.total ?? (await lengthByHead(resource));
  if (byteLength === undefined) {
    dismiss(answer);
    return askForWhole(resource, limits);
  }
  if (byteLength > most) {
    dismiss(answer);
    throw tooLong(name, byteLength, most);
  }
  const length = range?.end ?? Math.min(OPENING_BYTES, byteLength);
  if (length > OPENING_BYTES) {
    dismiss(answer);
    throw new FormatError(name, `asked for ${OPENING_BYTES} bytes, the server sent ${length}`);
  }
  const bytes = await readBody(name, answer, { length, most: OPENING_BYTES, signal });
  return { bytes, byteLength, version: versionOf(answer), saysRanges: range !== undefined };
}

/** The length of a file whose parts come without it; undefined where HEAD does not tell it either. */
async function lengthByHead(resource: Resource): Promise<number | undefined> {
  const answer = await request(resource, {}, resource.signal, "HEAD");
  dismiss(answer);
  return answer.status === 200 ? contentLength(answer) : undefined;
}

async function askForWhole(resource: Resource, limits: HttpLimits): Promise<Opening | "long"> {
  const answer = await request(resource, {}, resource.signal);
  checkAnswer(resource.name, answer);
  if (answer.status === 200) return wholeOf(resource, answer, limits);
  dismiss(answer);
  throw new AnswerError(resource.name, answer.status, "the server sent a part where the whole file was asked for");
}

/** The whole file from an answer that brings it. */
async function wholeOf(resource: Resource, answer: Response, limits: HttpLimits): Promise<Opening | "long"> {
  const { name, signal } = resource;
  const { maxByteLength, maxWholeByteLength = Infinity } = limits;
  const length = answer.status === 200 ? contentLength(answer) : undefined;
  const most = maxByteLength ?? (length === undefined ? MAX_UNANNOUNCED_BYTES : Infinity);
  if (length !== undefined && length > maxWholeByteLength) {
    dismiss(answer);
    return "long";
  }
  try {
    const bytes = await readBody(name, answer, { length, most: Math.min(most, maxWholeByteLength), signal });
    return { bytes, byteLength: bytes.byteLength, version: versionOf(answer), saysRanges: true };
  } catch (error) {
    if (error instanceof FormatError && length === undefined && maxWholeByteLength < most) return "long";
    throw error;
  }
}

function rangedSource(resource: Resource, opening: Opening): ByteSource {
  const { name } = resource;
  const { byteLength, version } = opening;
  /** The bytes in memory: the first of the file, or all of them. */
  let head = opening.bytes;
  let isOpen = true;
  let proof: Promise<void> | undefined;

  /** Fills `target` with the file's bytes from `begin` on; resumes where a connection broke. */
  async function fill(target: Uint8Array, begin: number, signal: AbortSignal | undefined): Promise<void> {
    let filled = 0;
    let fruitless = 0;
    while (filled < target.byteLength) {
      const filledBefore = filled;
      try {
        const from = begin + filled;
        const answer = await request(resource, { range: `bytes=${from}-${begin + target.byteLength - 1}` }, signal);
        checkAnswer(name, answer);
        checkVersion(name, version, answer);
        if (answer.status === 200) {
          head = await readAll(answer, signal);
          target.set(head.subarray(from, begin + target.byteLength), filled);
          return;
        }
        checkPart(answer, from);
        for await (const chunk of chunks(answer, signal)) {
          if (chunk.byteLength > target.byteLength - filled) {
            throw new FormatError(name, `the server sent more than the ${target.byteLength} bytes it was asked for`);
          }
          target.set(chunk, filled);
          filled += chunk.byteLength;
        }
        if (filled < target.byteLength && filled === filledBefore)
          throw new TypeError(endedAfter(0, target.byteLength));
        fruitless = 0;
      } catch (error) {
        fruitless = filled > filledBefore ? 0 : fruitless + 1;
        await pauseOrGiveUp(name, error, fruitless, signal);
      }
    }
  }

  /** The whole file, from a server that has stopped to understand ranges. */
  async function readAll(answer: Response, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const length = contentLength(answer);
    const changed = (now: number) =>
      new FormatError(name, `had ${byteLength} bytes when it was opened and has ${now} now`);
    if (length !== undefined && length !== byteLength) {
      dismiss(answer);
      throw changed(length);
    }
    const bytes = await readBody(name, answer, { length, most: byteLength, signal });
    if (bytes.byteLength !== byteLength) throw changed(bytes.byteLength);
    return bytes;
  }

  function checkPart(answer: Response, from: number): void {
    const range = contentRange(name, answer);
    if (isEncoded(answer)) {
      dismiss(answer);
      throw new FormatError(name, "the server compresses parts of the file, which then are not those asked for");
    }
    if (range === undefined || (range.begin === from && (range.total ?? byteLength) === byteLength)) return;
    dismiss(answer);
    const total = range.total ?? byteLength;
    throw new FormatError(
      name,
      `asked for bytes from ${from} of ${byteLength}, the server sent bytes from ${range.begin} of ${total}`,
    );
  }

  /** A server that does not say which bytes it sends is asked once for some that are known. */
  async function prove(signal: AbortSignal | undefined): Promise<void> {
    const begin = Math.max(0, head.byteLength - PROOF_BYTES);
    const known = head.subarray(begin);
    const bytes = new Uint8Array(Math.min(byteLength, begin + 2 * PROOF_BYTES) - begin);
    await fill(bytes, begin, signal);
    if (known.every((byte, i) => byte === bytes[i])) return;
    throw new FormatError(name, "the server sends parts of the file, but not those that it is asked for");
  }

  return {
    name,
    byteLength,
    async read(begin, end, signal) {
      const both = eitherSignal(resource.signal, signal);
      both?.throwIfAborted();
      checkOpen(name, isOpen);
      checkRange(name, byteLength, begin, end);
      if (end <= head.byteLength) return head.subarray(begin, end);
      if (!opening.saysRanges) {
        proof ??= prove(both);
        proof.catch(() => (proof = undefined));
        await proof;
      }
      const bytes = allocateBytes(name, end - begin);
      await fill(bytes, begin, both);
      return bytes;
    },
    async close() {
      isOpen = false;
      head = new Uint8Array(0);
    },
  };
}

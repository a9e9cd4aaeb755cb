// Bytes over HTTP. A first request asks for the opening block: its answer tells the length (Content-Range), whether the
// server understands ranges, and usually already holds the header of a weights file. A server that ignores ranges has
// sent the whole file by then: it is kept in memory and served from there, so such a server costs one download and
// as much memory as the file is long. A dropped connection is resumed where it broke.

import { allocateBytes, checkRange, type ByteSource } from "./byte-source.ts";
import { FormatError } from "./errors.ts";

/** How requests are made. */
export interface HttpOptions {
  /** Instead of the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
  /** Sent with every request, for example `{ authorization: "Bearer ..." }`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Ends every request, now and later. */
  readonly signal?: AbortSignal | undefined;
}

/** How much the first request asks for: the header of most weights files, in one round trip. */
const OPENING_BYTES = 64 * 1024;
/** Attempts in a row that bring nothing new before giving up. */
const MAX_ATTEMPTS = 4;
/** Before the second attempt; doubled for each further one. */
const FIRST_PAUSE_MS = 100;

/**
 * Opens a URL as a byte source.
 *
 * Throws {@link FormatError} if the server answers with an error or an HTML page, contradicts itself about ranges, or
 * cannot be reached after several attempts.
 */
export async function httpSource(url: string | URL, options: HttpOptions = {}): Promise<ByteSource> {
  const source = await findHttpSource(url, options);
  if (source === null) throw new FormatError(String(url), "the server answered 404: there is no such file");
  return source;
}

/** Like {@link httpSource}, but null where there is no such file: 404, or an HTML page in its place. */
export async function findHttpSource(url: string | URL, options: HttpOptions = {}): Promise<ByteSource | null> {
  const name = String(url);
  const opening = await withAttempts(name, options.signal, async () => {
    const answer = await request(name, options, { range: `bytes=0-${OPENING_BYTES - 1}` }, options.signal);
    if (answer.status === 404 || answer.status === 410) {
      await answer.body?.cancel();
      return null;
    }
    if (answer.status === 416) {
      await answer.body?.cancel();
      return { bytes: new Uint8Array(0), byteLength: 0, etag: null };
    }
    await checkAnswer(name, answer);
    const etag = strongTag(answer);
    if (answer.status === 206) {
      const range = contentRange(answer);
      const bytes = await readBody(answer, undefined, options.signal);
      const byteLength = range?.total ?? (await lengthByHead(name, options));
      if (range !== null && (range.begin !== 0 || range.end !== bytes.byteLength)) {
        throw new FormatError(
          name,
          `the server sent ${bytes.byteLength} bytes for a range that it says is ${range.begin}..${range.end}`,
        );
      }
      return { bytes, byteLength, etag };
    }
    const bytes = await readBody(answer, contentLength(answer), options.signal);
    return { bytes, byteLength: bytes.byteLength, etag };
  });
  return opening === null ? null : rangedSource(name, options, opening);
}

interface Opening {
  readonly bytes: Uint8Array;
  readonly byteLength: number;
  readonly etag: string | null;
}

function rangedSource(name: string, options: HttpOptions, opening: Opening): ByteSource {
  const { byteLength, etag } = opening;
  /** The bytes in memory: the first of the file, or all of them. */
  let head = opening.bytes;
  let isOpen = true;

  /** Fills `target` with the file's bytes from `begin` on; resumes where a connection broke. */
  async function fill(target: Uint8Array, begin: number, signal: AbortSignal | undefined): Promise<void> {
    let filled = 0;
    let fruitless = 0;
    while (filled < target.byteLength) {
      const filledBefore = filled;
      try {
        const from = begin + filled;
        const headers: Record<string, string> = { range: `bytes=${from}-${begin + target.byteLength - 1}` };
        if (etag !== null) headers["if-range"] = etag;
        const answer = await request(name, options, headers, signal);
        await checkAnswer(name, answer);
        if (answer.status === 200) {
          head = await readBody(answer, contentLength(answer), signal);
          if (head.byteLength !== byteLength) {
            throw new FormatError(name, `had ${byteLength} bytes when it was opened and has ${head.byteLength} now`);
          }
          target.set(head.subarray(from, begin + target.byteLength), filled);
          return;
        }
        const range = contentRange(answer);
        if (range !== null && (range.begin !== from || range.total !== byteLength)) {
          await answer.body?.cancel();
          throw new FormatError(
            name,
            `asked for bytes from ${from} of ${byteLength}, the server sent bytes from ${range.begin} of ${range.total}`,
          );
        }
        for await (const chunk of chunks(answer, signal)) {
          if (chunk.byteLength > target.byteLength - filled) {
            throw new FormatError(name, `the server sent more than the ${target.byteLength} bytes it was asked for`);
          }
          target.set(chunk, filled);
          filled += chunk.byteLength;
        }
        if (filled < target.byteLength) throw new TypeError(`the connection ended after ${filled} bytes`);
      } catch (error) {
        fruitless = filled > filledBefore ? 0 : fruitless + 1;
        await pauseOrGiveUp(name, error, fruitless, signal);
      }
    }
  }

  return {
    name,
    byteLength,
    async read(begin, end, signal) {
      const both = anySignal(options.signal, signal);
      both?.throwIfAborted();
      if (!isOpen) throw new Error(`${name}: was closed; open it again to read from it`);
      checkRange(name, byteLength, begin, end);
      if (end <= head.byteLength) return head.subarray(begin, end);
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

async function request(
  url: string,
  options: HttpOptions,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
  method = "GET",
): Promise<Response> {
  const send = options.fetch ?? fetch;
  // Ranges count the bytes of the file itself, so it must not be sent compressed.
  const init: RequestInit = { method, headers: { "accept-encoding": "identity", ...options.headers, ...headers } };
  if (signal !== undefined) init.signal = signal;
  return send(url, init);
}

/** A status that another attempt may cure. */
class PassingStatus extends Error {}

async function checkAnswer(name: string, answer: Response): Promise<void> {
  const { status } = answer;
  const isHtml = answer.headers.get("content-type")?.toLowerCase().startsWith("text/html") ?? false;
  if ((status === 200 || status === 206) && !isHtml) return;
  await answer.body?.cancel();
  if (status === 408 || status === 429 || status >= 500) throw new PassingStatus(`the server answered ${status}`);
  if (status === 401 || status === 403) {
    throw new FormatError(name, `the server answered ${status}: it wants a login or a token with access to this file`);
  }
  if (status !== 200 && status !== 206) throw new FormatError(name, `the server answered ${status}; wanted 200 or 206`);
  throw new FormatError(name, "the server answered with an HTML page instead of the file: is the address right?");
}

async function lengthByHead(name: string, options: HttpOptions): Promise<number> {
  const answer = await request(name, options, {}, options.signal, "HEAD");
  await checkAnswer(name, answer);
  const length = contentLength(answer);
  if (length === undefined)
    throw new FormatError(name, "the server tells its length neither by Content-Range nor by HEAD");
  return length;
}

function contentLength(answer: Response): number | undefined {
  const text = answer.headers.get("content-length");
  // A body that fetch has decompressed is longer than the header says.
  if (text === null || !/^\d+$/.test(text) || (answer.headers.get("content-encoding") ?? "identity") !== "identity") {
    return undefined;
  }
  return Number(text);
}

/** `Content-Range: bytes 0-99/1000`, half-open. */
function contentRange(answer: Response): { begin: number; end: number; total: number } | null {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.headers.get("content-range") ?? "");
  if (match === null) return null;
  return { begin: Number(match[1]), end: Number(match[2]) + 1, total: Number(match[3]) };
}

function strongTag(answer: Response): string | null {
  const tag = answer.headers.get("etag");
  return tag === null || tag.startsWith("W/") ? null : tag;
}

async function* chunks(answer: Response, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  if (answer.body === null) return;
  const reader = answer.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (done) return;
      yield value;
    }
  } finally {
    // Frees the connection when the caller stops early; a stream that has ended or failed does not mind.
    await reader.cancel().catch(() => undefined);
  }
}

async function readBody(
  answer: Response,
  expected: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let byteLength = 0;
  for await (const chunk of chunks(answer, signal)) {
    parts.push(chunk);
    byteLength += chunk.byteLength;
  }
  if (expected !== undefined && byteLength !== expected) {
    throw new TypeError(`the connection ended after ${byteLength} of ${expected} bytes`);
  }
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(byteLength);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

async function withAttempts<T>(name: string, signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      await pauseOrGiveUp(name, error, failures, signal);
    }
  }
}

/** Waits before the next attempt, or throws: what another attempt cannot cure at once, the rest after several. */
async function pauseOrGiveUp(
  name: string,
  error: unknown,
  failures: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  // fetch and its streams report network trouble as TypeError; undici's streams also by an error with a code.
  const isPassing =
    error instanceof PassingStatus || error instanceof TypeError || (error instanceof Error && "code" in error);
  if (!isPassing) throw error;
  if (failures >= MAX_ATTEMPTS) {
    const reason = error.cause instanceof Error ? error.cause.message : error.message;
    throw new FormatError(name, `could not be read after ${MAX_ATTEMPTS} attempts: ${reason}`, { cause: error });
  }
  await new Promise((resolve) => setTimeout(resolve, FIRST_PAUSE_MS * 2 ** Math.max(0, failures - 1)));
  signal?.throwIfAborted();
}

function anySignal(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return AbortSignal.any([a, b]);
}

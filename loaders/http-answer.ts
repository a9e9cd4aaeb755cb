// Requests over HTTP and what their answers say: status, length, range, version. Answers are not believed where they contradict
// themselves; what another attempt may cure is told apart from what it cannot.

import type { OptionNames } from "./options.ts";
import { allocateBytes } from "./byte-source.ts";
import { FormatError } from "./errors.ts";
import { pause, untilAborted } from "./until-aborted.ts";

/** How requests are made. */
export interface HttpOptions {
  /** Instead of the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
  /** Sent with every request, for example `{ authorization: "Bearer ..." }`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Ends every request, now and later. */
  readonly signal?: AbortSignal | undefined;
}

/** The options of requests by name. */
export const HTTP_OPTIONS: OptionNames<HttpOptions> = { fetch: true, headers: true, signal: true };

/** What a source is read with: its name in messages, which has no query (that may hold a signature), and its address. */
export interface Resource extends HttpOptions {
  readonly name: string;
  readonly url: string;
}

/** A server's answer that is not the file. */
export class AnswerError extends FormatError {
  /** the status; 200 for an HTML page in the file's place */
  readonly status: number;

  constructor(name: string, status: number, problem: string) {
    super(name, problem);
    this.status = status;
  }
}

/** A status that another attempt may cure. */
class PassingStatus extends Error {
  /** what the server asks for */
  readonly waitSeconds: number | undefined;

  constructor({ status, headers }: Response) {
    const meaning = status === 429 ? ", too many requests" : status === 503 ? ", unavailable" : "";
    super(`the server answered ${status}${meaning}`);
    this.waitSeconds = secondsUntil(headers.get("retry-after"));
  }
}

/** Attempts in a row that bring nothing new before giving up. */
const MAX_ATTEMPTS = 4;
/** Before the second attempt; doubled for each further one. */
const FIRST_PAUSE_MS = 100;
/** A server that wants a longer pause is not waited for. */
const MOST_WAIT_SECONDS = 60;

/** `Retry-After`: seconds or a date. */
function secondsUntil(text: string | null): number | undefined {
  if (text === null) return undefined;
  const seconds = /^\d+$/.test(text.trim()) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}

/** Sends a request. Ranges count the bytes of the file itself, so it must not be sent compressed. */
export async function request(
  { url, fetch: send = fetch, headers }: Resource,
  own: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
  method = "GET",
): Promise<Response> {
  const init: RequestInit = { method, headers: { "accept-encoding": "identity", ...headers, ...own } };
  if (signal !== undefined) init.signal = signal;
  const sending = send(url, init);
  try {
    return await untilAborted(sending, signal);
  } catch (error) {
    sending.then(dismiss).catch(() => undefined);
    throw error;
  }
}

/** Lets go of an answer whose body is not wanted. */
export function dismiss({ body }: Response): void {
  body?.cancel().catch(() => undefined);
}

/** Throws unless the answer is a file, or a part of one. */
export function checkAnswer(name: string, answer: Response): void {
  const { status } = answer;
  const type = answer.headers.get("content-type")?.toLowerCase() ?? "";
  const isFile = status === 200 || status === 206;
  if (isFile && !type.startsWith("text/html") && !type.startsWith("multipart/")) return;
  dismiss(answer);
  if (status === 408 || status === 429 || status >= 500) throw new PassingStatus(answer);
  const wants = "it wants a login or a token with access to this file";
  const problem = type.startsWith("multipart/")
    ? "the server answered with several parts instead of the one that was asked for"
    : isFile
      ? "the server answered with an HTML page instead of the file: is the address right?"
      : status === 401
        ? `the server answered 401: ${wants}`
        : status === 403
          ? `the server answered 403: the file is not there, or ${wants}`
          : `the server answered ${status}; wanted 200 or 206`;
  throw new AnswerError(name, status, problem);
}

/** True if the body is decompressed on its way here: it is longer than the headers say. */
export function isEncoded({ headers }: Response): boolean {
  return !["", "identity"].includes(headers.get("content-encoding")?.trim().toLowerCase() ?? "");
}

/** The length of the body, where it is told. */
export function contentLength(answer: Response): number | undefined {
  const text = answer.headers.get("content-length");
  return text === null || !/^\d+$/.test(text) || isEncoded(answer) ? undefined : Number(text);
}

/** A part of a file, half-open; `total` is the file's length where it is told. */
export interface ContentRange {
  readonly begin: number;
  readonly end: number;
  readonly total: number | undefined;
}

/** `Content-Range: bytes 0-99/1000`; undefined without one, or where a page may not see it. Throws for one that cannot be. */
export function contentRange(name: string, { headers }: Response): ContentRange | undefined {
  const text = headers.get("content-range");
  if (text === null) return undefined;
  const match = /^\s*bytes[ =]+(\d+)-(\d+)\/(\d+|\*)\s*$/i.exec(text);
  const [begin, end] = [Number(match?.[1]), Number(match?.[2]) + 1];
  const total = match?.[3] === "*" ? undefined : Number(match?.[3]);
  if (match && begin < end && end <= (total ?? Infinity)) return { begin, end, total };
  throw new FormatError(name, `the server sent the range ${JSON.stringify(text)}, which cannot be`);
}

/** What tells one version of a file from another. */
export interface Version {
  readonly etag: string | null;
  readonly modified: string | null;
}

/** Weak tags may differ between servers of one site, and are left out. */
export function versionOf({ headers }: Response): Version {
  const etag = headers.get("etag");
  return { etag: etag?.startsWith("W/") ? null : etag, modified: headers.get("last-modified") };
}

/** Throws if an answer is of another version of the file than the one that was opened. */
export function checkVersion(name: string, opened: Version, answer: Response): void {
  const now = versionOf(answer);
  const isTagged = opened.etag !== null && now.etag !== null;
  const [before, after] = isTagged ? [opened.etag, now.etag] : [opened.modified, now.modified];
  if (before === null || after === null || before === after) return;
  dismiss(answer);
  const what = isTagged ? "ETag" : "Last-Modified";
  throw new FormatError(
    name,
    `the file changed on the server while it was read (${what} was ${before} and is ${after} now): load it again`,
  );
}

/** The body in the pieces in which it comes. Ends with the signal, whether the body knows of it or not. */
export async function* chunks(answer: Response, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  if (answer.body === null) return;
  const reader = answer.body.getReader();
  try {
    for (;;) {
      const { done, value } = await untilAborted(reader.read(), signal);
      signal?.throwIfAborted();
      if (done) return;
      yield value;
    }
  } finally {
    // Frees the connection when the caller stops early; a stream that has ended or failed does not mind.
    reader.cancel().catch(() => undefined);
  }
}

/**
 * The whole body. Throws {@link FormatError} as soon as more than `most` bytes have come.
 *
 * @param length how long it is, where that is known; another length is a connection that broke, or a server that errs
 */
export async function readBody(
  name: string,
  answer: Response,
  { length, most, signal }: { length?: number | undefined; most: number; signal: AbortSignal | undefined },
): Promise<Uint8Array> {
  if (length !== undefined && length > most) {
    dismiss(answer);
    throw tooLong(name, length, most);
  }
  // Room at once where the length is known, else pieces that are joined.
  const room = length === undefined ? undefined : allocateBytes(name, length);
  const pieces: Uint8Array[] = [];
  let byteLength = 0;
  for await (const chunk of chunks(answer, signal)) {
    const end = byteLength + chunk.byteLength;
    if (end > (length ?? most)) {
      if (length === undefined) throw tooLong(name, undefined, most);
      throw new FormatError(name, `the server sent more than the ${length} bytes that it announced`);
    }
    if (room) room.set(chunk, byteLength);
    else pieces.push(chunk);
    byteLength = end;
  }
  if (length !== undefined && byteLength < length) throw new TypeError(endedAfter(byteLength, length));
  if (room) return room;
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const whole = allocateBytes(name, byteLength);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}

/** In words. */
export function endedAfter(came: number, wanted: number): string {
  return `the connection ended after ${came} of ${wanted} bytes`;
}

/** The error for a file that is longer than it may be; `byteLength` is undefined where it was not received whole. */
export function tooLong(name: string, byteLength: number | undefined, most: number): FormatError {
  const problem =
    byteLength === undefined
      ? `is longer than ${most} bytes, the most that were expected`
      : `is ${byteLength} bytes long; at most ${most} were expected`;
  return new FormatError(name, problem);
}

/** What an error says: its cause's words where it has one, since `fetch` says only that it failed. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/** Waits before the next attempt, or throws: what another attempt cannot cure at once, the rest after several. */
export async function pauseOrGiveUp(
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
  const wait = error instanceof PassingStatus ? (error.waitSeconds ?? 0) : 0;
  if (failures >= MAX_ATTEMPTS || wait > MOST_WAIT_SECONDS) {
    const reason = messageOf(error);
    const attempts = failures === 1 ? "1 attempt" : `${failures} attempts`;
    const later = wait > MOST_WAIT_SECONDS ? `; it asks for a pause of ${Math.ceil(wait)} s: try again then` : "";
    throw new FormatError(name, `could not be read after ${attempts}: ${reason}${later}`, { cause: error });
  }
  await pause(Math.max(wait * 1000, FIRST_PAUSE_MS * 2 ** Math.max(0, failures - 1)), signal);
}

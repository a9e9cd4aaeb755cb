// A byte source is anything of known length whose bytes can be read by position: a file, a Blob, memory, an HTTP
// resource (http-source.ts). Readers of formats take one of these and never ask where the bytes come from.
// Ranges are half-open, positions are exact up to 2^53, and a read gives exactly the bytes asked for or throws.

import { FormatError } from "./errors.ts";

/** Bytes of known length, readable by position. */
export interface ByteSource {
  /** Its name in messages: a path, a URL or a file name. */
  readonly name: string;
  readonly byteLength: number;
  /**
   * Reads the bytes `begin..end` (half-open). The result may share memory with the source: do not write into it.
   * `into` offers room for exactly these bytes; where it is taken, it is the result, and otherwise it stays as it was.
   * Throws {@link FormatError} when the bytes are not there, and the signal's reason when it is aborted.
   */
  read(begin: number, end: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array>;
  /** Lets go of the file or the memory; reading afterwards throws. */
  close(): Promise<void>;
}

/** Sources whose reads end by themselves soon. */
const prompt = new WeakSet<ByteSource>();

/** Marks a source whose reads end by themselves soon; returns it. */
export function promptSource(source: ByteSource): ByteSource {
  prompt.add(source);
  return source;
}

/** True for a file or memory: a read of it ends by itself soon. */
export function readsPromptly(source: ByteSource): boolean {
  return prompt.has(source);
}

/**
 * Throws unless `begin..end` lies within the source: `RangeError` for a range that is none, {@link FormatError} for one
 * that goes past the end (something said there were more bytes than there are).
 */
export function checkRange(name: string, byteLength: number, begin: number, end: number): void {
  if (!Number.isSafeInteger(begin) || !Number.isSafeInteger(end) || begin < 0 || end < begin) {
    throw new RangeError(`${name}: bytes ${begin}..${end} are no range; wanted whole numbers, 0 <= begin <= end`);
  }
  if (end > byteLength) {
    throw new FormatError(name, `bytes ${begin}..${end} were asked for, but there are ${byteLength}: it is truncated`);
  }
}

/** Memory for `byteLength` bytes, or one sentence instead of the engine's bare "Array buffer allocation failed". */
export function allocateBytes(name: string, byteLength: number): Uint8Array {
  try {
    return new Uint8Array(byteLength);
  } catch (cause) {
    throw new FormatError(
      name,
      `reading ${byteLength} bytes at once needs more memory than there is; read it in parts`,
      {
        cause,
      },
    );
  }
}

/**
 * A source over memory. Reads give views, not copies.
 *
 * @param name what messages call it
 */
export function bufferSource(data: ArrayBuffer | Uint8Array, name: string): ByteSource {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  let isOpen = true;
  return promptSource({
    name,
    byteLength: bytes.byteLength,
    async read(begin, end, signal) {
      signal?.throwIfAborted();
      checkOpen(name, isOpen);
      checkRange(name, bytes.byteLength, begin, end);
      return bytes.subarray(begin, end);
    },
    async close() {
      isOpen = false;
    },
  });
}

/**
 * A source over a `Blob` or `File`, as a page gets them from a file input or a drop; only what is asked for is read.
 *
 * @param name what messages call it; a `File`'s own name by default
 */
export function blobSource(blob: Blob, name = blobName(blob)): ByteSource {
  let isOpen = true;
  return {
    name,
    byteLength: blob.size,
    async read(begin, end, signal) {
      signal?.throwIfAborted();
      checkOpen(name, isOpen);
      checkRange(name, blob.size, begin, end);
      let buffer: ArrayBuffer;
      try {
        buffer = await blob.slice(begin, end).arrayBuffer();
      } catch (cause) {
        throw new FormatError(name, `bytes ${begin}..${end} could not be read; was the file changed or removed?`, {
          cause,
        });
      }
      signal?.throwIfAborted();
      if (buffer.byteLength !== end - begin) {
        throw new FormatError(
          name,
          `bytes ${begin}..${end} were asked for, but ${buffer.byteLength} came: it is truncated`,
        );
      }
      return new Uint8Array(buffer);
    },
    async close() {
      isOpen = false;
    },
  };
}

function blobName(blob: Blob): string {
  return "name" in blob && typeof blob.name === "string" ? blob.name : "blob";
}

/** Throws an Error for a source that is closed. */
export function checkOpen(name: string, isOpen: boolean): void {
  if (!isOpen) throw new Error(`${name}: was closed; open it again to read from it`);
}

/** The `code` of a Node system error, such as `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

// The text of a file from its bytes, piece by piece: to decode many megabytes at once would keep the thread busy.

import { FormatError } from "./errors.ts";

/** Bytes of a piece. */
const PIECE_BYTES = 1 << 18;

/**
 * The text of bytes in UTF-8, in pieces. Throws {@link FormatError} for what is not UTF-8.
 *
 * @param what the problem that the error names
 * @param ignoreBOM keeps a byte order mark as a character; by default it is left out
 */
export function* decodedPieces(
  bytes: Uint8Array,
  file: string,
  { what = "is not UTF-8 text", ignoreBOM = false }: { readonly what?: string; readonly ignoreBOM?: boolean } = {},
): Generator<string, void, undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM });
  for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
    const end = Math.min(bytes.byteLength, at + PIECE_BYTES);
    let piece: string;
    try {
      piece = decoder.decode(bytes.subarray(at, end), { stream: end < bytes.byteLength });
    } catch (cause) {
      throw new FormatError(file, what, { cause });
    }
    yield piece;
  }
}

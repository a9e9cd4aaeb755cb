// The lines of a text file from bytes, with pauses.

import { FormatError } from "./errors.ts";
import type { Work } from "./work.ts";

/** Bytes that are decoded at a time. */
const DECODED_BYTES = 1 << 17;

/**
 * Gives the lines of a text in UTF-8, with their numbers from 0 on, to `each`. The last one is left out if it is empty. Throws
 * {@link FormatError} for what is not UTF-8.
 */
export function* eachLine(bytes: Uint8Array, file: string, each: (line: string, number: number) => void): Work<void> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let count = 0;
  let rest = "";
  for (let at = 0; at < bytes.byteLength; at += DECODED_BYTES) {
    try {
      rest += decoder.decode(bytes.subarray(at, at + DECODED_BYTES), { stream: at + DECODED_BYTES < bytes.byteLength });
    } catch (cause) {
      throw new FormatError(file, "is not UTF-8 text", { cause });
    }
    const found = rest.split("\n");
    rest = found.pop()!;
    for (const line of found) each(line, count++);
    yield;
  }
  if (rest !== "") each(rest, count);
}

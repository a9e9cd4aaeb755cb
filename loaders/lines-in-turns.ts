// The lines of a text file from bytes, with pauses.

import { decodedPieces } from "./decoded-pieces.ts";
import type { Work } from "./work.ts";

/**
 * Gives the lines of a text in UTF-8, with their numbers from 0 on, to `each`. The last one is left out if it is empty. Throws
 * a FormatError for what is not UTF-8.
 */
export function* eachLine(bytes: Uint8Array, file: string, each: (line: string, number: number) => void): Work<void> {
  let count = 0;
  let rest = "";
  for (const piece of decodedPieces(bytes, file)) {
    const found = (rest + piece).split("\n");
    rest = found.pop()!;
    for (const line of found) each(line, count++);
    yield;
  }
  if (rest !== "") each(rest, count);
}

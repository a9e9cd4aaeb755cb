// The Precompiled normalizer: sentencepiece's map from sequences of characters to what they become, as a double-array trie (Darts)
// over UTF-8 bytes, followed by the replacements, each ended by a zero byte.

import { FormatError } from "../errors.ts";
import { local } from "./normalize-in-turns.ts";
import { Rewriting, type Normalizer } from "./pieces.ts";

/** A grapheme of fewer bytes is looked up as a whole; one of more by its characters, as in the Rust library. */
const MAX_WHOLE_BYTES = 6;

const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const wrong = (problem: string): FormatError =>
  new FormatError("tokenizer.json", `the precompiled_charsmap of its normalizer ${problem}`);

/** Reads a `precompiled_charsmap` in base64. Throws {@link FormatError}. */
export function readPrecompiled(base64: string): Normalizer {
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw new FormatError("tokenizer.json", "the precompiled_charsmap of its normalizer is not base64", { cause });
  }
  if (bytes.length < 4) throw wrong(`has ${bytes.length} bytes; at least 4 are wanted`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const trieBytes = view.getUint32(0, true);
  if (trieBytes % 4 !== 0 || trieBytes + 4 > bytes.length) {
    throw wrong(`says that its trie has ${trieBytes} bytes, of ${bytes.length - 4}`);
  }
  const units = Uint32Array.from({ length: trieBytes / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const replacements = bytes.subarray(4 + trieBytes);
  const known = new Map<string, string | undefined>();

  /** What a text becomes; the shortest match decides, as in the Rust library. */
  const transform = (part: string): string | undefined => {
    if (known.has(part)) return known.get(part);
    const at = shortestMatch(units, utf8.encode(part));
    let made: string | undefined;
    if (at >= 0) {
      const end = replacements.indexOf(0, at);
      made = text.decode(replacements.subarray(at, end < 0 ? undefined : end));
    }
    if (known.size < 20_000) known.set(part, made);
    return made;
  };

  const graphemes = new Intl.Segmenter("und", { granularity: "grapheme" });
  return local((piece) => {
    const rewriting = new Rewriting();
    let isChanged = false;
    for (const { segment } of graphemes.segment(piece.text)) {
      const whole = segment.length < MAX_WHOLE_BYTES && utf8.encode(segment).length < MAX_WHOLE_BYTES;
      const made = whole ? transform(segment) : undefined;
      if (made !== undefined) {
        isChanged = true;
        rewriting.replace(made, [...segment].length);
        continue;
      }
      for (const character of segment) {
        const single = transform(character);
        if (single === undefined) rewriting.add(character, 0);
        else {
          isChanged = true;
          rewriting.replace(single, 1);
        }
      }
    }
    return isChanged ? rewriting.apply(piece) : piece;
  });
}

/** The value of the shortest key that the bytes begin with, or -1. */
function shortestMatch(units: Uint32Array, bytes: Uint8Array): number {
  let unit = units[0] ?? 0;
  let node = offsetOf(unit);
  for (const byte of bytes) {
    if (byte === 0) return -1;
    node ^= byte;
    unit = units[node] ?? 0;
    if ((unit & 0x8000_00ff) >>> 0 !== byte) return -1;
    node ^= offsetOf(unit);
    if ((unit >>> 8) & 1) return (units[node] ?? 0) & 0x7fff_ffff;
  }
  return -1;
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

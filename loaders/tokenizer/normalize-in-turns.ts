// Normalizers and replacements of long texts, with pauses. What changes each character, or each character with its marks, by itself is
// done part by part; a part ends where two characters meet that surely have nothing to do with one another.

import { startOfText, type Pattern } from "./pattern.ts";
import { beginOf, endOf, replaceSpans, slice, widthAt, type Normalizer, type Piece } from "./pieces.ts";
import type { Work } from "../work.ts";

/** Code units of a part, about. */
const PART_LENGTH = 1 << 11;
/** Matches that are looked for, or replaced, at a time. */
const MATCHES_AT_ONCE = 4096;

/**
 * Letters, digits, punctuation and pictures that join to nothing before them and that nothing but marks, which are not here, joins to. They
 * have no decomposition that begins with a mark.
 */
const INDEPENDENT =
  /[\x20-\x7e\u00c0-\u024f\u0391-\u03c9\u0400-\u0481\u048a-\u052f\u0531-\u0556\u0561-\u0586\u05d0-\u05ea\u0620-\u064a\u0904-\u0939\u0e01-\u0e2e\u3001\u3002\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff5e\u{1f300}-\u{1f3fa}\u{1f400}-\u{1f64f}\u{1f680}-\u{1faff}\u{20000}-\u{2a6df}]/u;

/** Marks a normalizer that changes each character, with its marks, by itself. */
export function local(change: (piece: Piece) => Piece): Normalizer {
  return Object.assign((piece: Piece) => change(piece), { isLocal: true as const });
}

/** Normalizers one after the other. */
export function sequenceOf(steps: readonly Normalizer[]): Normalizer {
  const all = (piece: Piece): Piece => steps.reduce((done, step) => step(done), piece);
  if (steps.every((step) => step.isLocal)) return local(all);
  return Object.assign(all, {
    *inTurns(piece: Piece): Work<Piece> {
      let done = piece;
      for (const step of steps) done = yield* normalizeInTurns(step, done);
      return done;
    },
  });
}

/** Normalizes a text of any length. */
export function* normalizeInTurns(normalizer: Normalizer, piece: Piece, partLength = PART_LENGTH): Work<Piece> {
  if (piece.text.length <= 2 * partLength) return normalizer(piece);
  if (normalizer.inTurns) return yield* normalizer.inTurns(piece);
  if (!normalizer.isLocal) return normalizer(piece);
  const parts: Piece[] = [];
  for (let begin = 0; begin < piece.text.length;) {
    const end = partEnd(piece, begin + partLength);
    parts.push(normalizer(slice(piece, begin, end)));
    begin = end;
    yield;
  }
  return yield* joinParts(piece, parts);
}

/** Where a part ends that is to have so many code units of a piece. */
function partEnd({ text, begins, ends }: Piece, wanted: number): number {
  for (let at = wanted; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0xdc00 && unit <= 0xdfff) continue;
    // What stands for nothing of the original belongs to what is beside it.
    if (begins && ends && (begins[at] === ends[at] || begins[at - 1] === ends[at - 1])) continue;
    const before = text.codePointAt(at - 2)! > 0xffff ? at - 2 : at - 1;
    if (isIndependent(text, before) && isIndependent(text, at)) return at;
  }
  return text.length;
}

const isIndependent = (text: string, at: number): boolean => {
  const codePoint = text.codePointAt(at)!;
  return codePoint >= 0x20 && codePoint <= 0x7e ? true : INDEPENDENT.test(String.fromCodePoint(codePoint));
};

/** Part of a piece of any length; it still stands for all that the piece stands for. */
export function* keepInTurns(piece: Piece, from: number, to: number): Work<Piece> {
  const parts: Piece[] = [];
  for (let begin = from; begin < to;) {
    let end = Math.min(to, begin + PART_LENGTH);
    if (end < to && widthAt(piece.text, end - 1) === 2) end++;
    parts.push(slice(piece, begin, end));
    begin = end;
  }
  return yield* joinParts(piece, parts);
}

/** Puts the parts of a piece together again. */
function* joinParts(piece: Piece, parts: readonly Piece[]): Work<Piece> {
  let length = 0;
  let isPlain = piece.begins === null;
  for (const [i, { text, begins, prefix, begin, end }] of parts.entries()) {
    length += text.length;
    if (begins !== null || (i > 0 && prefix > 0) || text.length - prefix !== end - begin) isPlain = false;
  }
  const text = parts.map((part) => part.text).join("");
  yield;
  if (isPlain && length === piece.text.length) return { ...piece, text, prefix: parts[0]!.prefix };
  const begins = new Int32Array(length);
  const ends = new Int32Array(length);
  let at = 0;
  for (const part of parts) {
    if (part.begins !== null && part.ends !== null) {
      begins.set(part.begins, at);
      ends.set(part.ends, at);
      at += part.text.length;
    } else {
      for (let i = 0; i < part.text.length; i++, at++) {
        begins[at] = beginOf(part, i);
        ends[at] = endOf(part, i);
      }
    }
    yield;
  }
  return { ...piece, text, begins, ends, prefix: 0 };
}

/** Replaces all matches of a pattern in a text of any length. */
export function* replaceInTurns(piece: Piece, pattern: Pattern, content: string): Work<Piece> {
  const { text } = piece;
  const spans: number[] = [];
  if (text !== "") {
    const cursor = startOfText();
    while (!pattern.find(text, cursor, MATCHES_AT_ONCE, spans)) yield;
  }
  if (spans.length <= 2 * MATCHES_AT_ONCE) return replaceSpans(piece, spans, content);
  const parts: Piece[] = [];
  let from = 0;
  for (let i = 0; i < spans.length; i += 2 * MATCHES_AT_ONCE) {
    const isLast = i + 2 * MATCHES_AT_ONCE >= spans.length;
    const inside = spans.slice(i, i + 2 * MATCHES_AT_ONCE);
    const to = isLast ? text.length : inside.at(-1)!;
    // A part that is empty at its end, as one that ends with an empty match, takes its place from the piece.
    const moved = inside.map((at) => at - from);
    parts.push(replaceSpans(slice(piece, from, to), moved, content));
    from = to;
    yield;
  }
  return yield* joinParts(piece, parts);
}

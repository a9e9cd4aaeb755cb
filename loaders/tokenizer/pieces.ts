// A piece of text on its way to tokens: what the normalizers have made of it, and which part of the original each of its
// UTF-16 code units comes from. The accounting is the Rust library's, because some of its steps look at where a piece began.
//
// Most pieces are the original text, unchanged: they keep no arrays (`begins` is null) and their place alone says where each
// code unit is from. `prefix` code units put before such a text belong to its first character.

import type { Work } from "../work.ts";

/** Part of a text, as normalizers and pre-tokenizers change it. */
export interface Piece {
  readonly text: string;
  /** [text.length] where in the original each code unit begins; null for unchanged text */
  readonly begins: Int32Array | null;
  /** [text.length] where in the original each code unit's character ends; null for unchanged text */
  readonly ends: Int32Array | null;
  /** code units put before unchanged text */
  readonly prefix: number;
  /** the part of the original that this piece stands for */
  readonly begin: number;
  readonly end: number;
  /** the added token that this piece is, or -1 */
  readonly token: number;
}

/** Changes a piece of text; one that is long in parts, or in turns, where it can (normalize-in-turns.ts). */
export interface Normalizer {
  (piece: Piece): Piece;
  /** each character, with its marks, is changed by itself */
  readonly isLocal?: true;
  readonly inTurns?: (piece: Piece) => Work<Piece>;
}

/** The whole of a text. */
export function wholePiece(text: string): Piece {
  return { text, begins: null, ends: null, prefix: 0, begin: 0, end: text.length, token: -1 };
}

const isHigh = (unit: number): boolean => (unit & 0xfc00) === 0xd800;
const isLow = (unit: number): boolean => (unit & 0xfc00) === 0xdc00;

/** UTF-16 code units of the character at a place: 1 or 2. */
export function widthAt(text: string, at: number): number {
  return isHigh(text.charCodeAt(at)) && isLow(text.charCodeAt(at + 1)) ? 2 : 1;
}

/** Where the original of the code unit at a place begins. */
export function beginOf({ text, begins, prefix, begin }: Piece, at: number): number {
  if (begins !== null) return begins[at]!;
  if (at <= prefix) return begin;
  return begin + at - prefix - (isLow(text.charCodeAt(at)) && isHigh(text.charCodeAt(at - 1)) ? 1 : 0);
}

/** Where the original of the character at a place ends. */
export function endOf({ text, ends, prefix, begin }: Piece, at: number): number {
  if (ends !== null) return ends[at]!;
  const own = Math.max(at, prefix);
  const width =
    isLow(text.charCodeAt(own)) && own > prefix && isHigh(text.charCodeAt(own - 1)) ? 1 : widthAt(text, own);
  return begin + own - prefix + width;
}

/** True for a code unit that was put before unchanged text. */
export function isPutIn({ begins, prefix }: Piece, at: number): boolean {
  return begins === null && at < prefix;
}

/** Part of a piece, from one code unit to another. */
export function slice(piece: Piece, from: number, to: number): Piece {
  const text = piece.text.slice(from, to);
  if (from === to)
    return { text, begins: null, ends: null, prefix: 0, begin: piece.begin, end: piece.begin, token: -1 };
  const begin = beginOf(piece, from);
  const end = endOf(piece, to - 1);
  if (piece.begins === null && (from >= piece.prefix || to > piece.prefix)) {
    return { text, begins: null, ends: null, prefix: Math.max(0, piece.prefix - from), begin, end, token: -1 };
  }
  const [begins, ends] = alignments(piece);
  return { text, begins: begins.slice(from, to), ends: ends.slice(from, to), prefix: 0, begin, end, token: -1 };
}

/** The arrays of a piece, made if it has none. */
export function alignments(piece: Piece): readonly [begins: Int32Array, ends: Int32Array] {
  if (piece.begins !== null && piece.ends !== null) return [piece.begins, piece.ends];
  const { length } = piece.text;
  const begins = new Int32Array(length);
  const ends = new Int32Array(length);
  for (let at = 0; at < length; at++) {
    begins[at] = beginOf(piece, at);
    ends[at] = endOf(piece, at);
  }
  return [begins, ends];
}

/**
 * What a normalizer makes of a text, character by character. A change of 0 replaces the next character, 1 adds one, and -n
 * replaces the next and removes the n after it.
 */
export class Rewriting {
  readonly #characters: string[] = [];
  readonly #changes: number[] = [];
  /** how many characters from here on, replaced ones, this character stands for; 0: as many as the one before */
  readonly #counts: number[] = [];

  add(character: string, change: number, count = 1): void {
    this.#characters.push(character);
    this.#changes.push(change);
    this.#counts.push(count);
  }

  /** Puts all of `made` where `count` characters were. `isJoint`: each of them stands for all of those. */
  replace(made: string, count: number, isJoint = false): void {
    const characters = [...made];
    const missing = characters.length === 0 ? 0 : Math.min(0, characters.length - count);
    for (const [i, character] of characters.entries()) {
      const change = (i >= count ? 1 : 0) + (i === characters.length - 1 ? missing : 0);
      this.add(character, change, isJoint ? (i === 0 ? count : 0) : 1);
    }
    const last = this.#changes.length - 1;
    if (characters.length === 0 && last >= 0) this.#changes[last]! -= count;
  }

  /** The piece rewritten. `removed` characters at its very beginning are gone. */
  apply(piece: Piece, removed = 0): Piece {
    const [oldBegins, oldEnds] = alignments(piece);
    const { text } = piece;
    const [from, to] = changeable(piece, oldBegins, oldEnds);
    if (from > to) return piece;
    const [made, begins, ends]: [string[], number[], number[]] = [[], [], []];
    let at = from;
    const skip = (count: number): void => {
      for (let i = 0; i < count && at < to; i++) at += widthAt(text, at);
    };
    skip(removed);
    let [begin, end] = [piece.begin, piece.begin];
    for (const [i, character] of this.#characters.entries()) {
      const change = this.#changes[i]!;
      const count = this.#counts[i]!;
      const source = change > 0 ? at - 1 : at;
      if (count > 0) {
        begin = oldBegins[source] ?? piece.begin;
        end = oldEnds[source + lengthOf(text, source, count) - 1] ?? oldEnds[source] ?? piece.begin;
      }
      made.push(character);
      for (let unit = 0; unit < character.length; unit++) {
        begins.push(begin);
        ends.push(end);
      }
      if (change <= 0) skip(1 - change);
    }
    return {
      ...piece,
      text: text.slice(0, from) + made.join("") + text.slice(to),
      begins: joined(oldBegins, from, begins, to),
      ends: joined(oldEnds, from, ends, to),
      prefix: 0,
    };
  }
}

/** Code units of so many characters from a place on. */
function lengthOf(text: string, from: number, count: number): number {
  let at = from;
  for (let i = 0; i < count && at < text.length; i++) at += widthAt(text, at);
  return Math.max(1, at - from);
}

function joined(old: Int32Array, from: number, made: readonly number[], to: number): Int32Array {
  const all = new Int32Array(from + made.length + old.length - to);
  all.set(old.subarray(0, from));
  all.set(made, from);
  all.set(old.subarray(to), from + made.length);
  return all;
}

/** True if a normalizer changes all of a piece, as it does but for characters that take no place of the original. */
export function isWhole(piece: Piece): boolean {
  if (piece.begins === null || piece.ends === null) return true;
  const [from, to] = changeable(piece, piece.begins, piece.ends);
  return from === 0 && to === piece.text.length;
}

/** The code units that belong to the original: all but those put in at its very beginning and end without taking place. */
function changeable(piece: Piece, begins: Int32Array, ends: Int32Array): readonly [from: number, to: number] {
  if (piece.begin === piece.end) return [0, 0];
  let from = -1;
  let to = -1;
  for (let i = 0; i < begins.length && ends[i]! <= piece.end; i++) {
    if (from < 0 && begins[i] !== ends[i]) from = i;
    to = i + 1;
  }
  if (to < 0) return from < 0 ? [1, 0] : [from, from];
  return from < 0 ? [to, to] : [from, to];
}

/** Puts text before a piece; nothing where it is empty. */
export function prepend(piece: Piece, added: string): Piece {
  if (piece.text === "") return piece;
  if (added === "") {
    // The first character then stands for nothing, as in the Rust library.
    const [begins, ends] = alignments(piece);
    const width = widthAt(piece.text, 0);
    return {
      ...piece,
      begins: begins.slice().fill(piece.begin, 0, width),
      ends: ends.slice().fill(piece.begin, 0, width),
      prefix: 0,
    };
  }
  const text = added + piece.text;
  if (piece.begins === null) return { ...piece, text, prefix: piece.prefix + added.length };
  const [begins, ends] = alignments(piece);
  const width = widthAt(piece.text, 0);
  const before = (old: Int32Array): Int32Array => {
    const all = new Int32Array(text.length).fill(old[0]!, 0, added.length + width);
    all.set(old.subarray(width), added.length + width);
    return all;
  };
  return { ...piece, text, begins: before(begins), ends: before(ends), prefix: 0 };
}

/** Replaces matches by text. `spans`: begin and end of each match, ascending. */
export function replaceSpans(piece: Piece, spans: readonly number[], content: string): Piece {
  if (spans.length === 0) return piece;
  const { text } = piece;
  const parts: string[] = [];
  let last = 0;
  let isOneForOne = piece.begins === null && content.length === 1;
  for (let i = 0; i < spans.length; i += 2) {
    parts.push(text.slice(last, spans[i]), content);
    last = spans[i + 1]!;
    if (last - spans[i]! !== 1 || last <= piece.prefix) isOneForOne = false;
  }
  parts.push(text.slice(last));
  // A string that grew match by match would be copied when it is read.
  const made = parts.join("");
  if (isOneForOne) return { ...piece, text: made };
  const [oldBegins, oldEnds] = alignments(piece);
  const begins = new Int32Array(made.length);
  const ends = new Int32Array(made.length);
  let at = 0;
  const copy = (from: number, to: number): void => {
    begins.set(oldBegins.subarray(from, to), at);
    ends.set(oldEnds.subarray(from, to), at);
    at += to - from;
  };
  last = 0;
  for (let i = 0; i < spans.length; i += 2) {
    copy(last, spans[i]!);
    last = spans[i + 1]!;
    begins.fill(oldBegins[last - 1] ?? piece.begin, at, at + content.length);
    ends.fill(oldEnds[last - 1] ?? piece.begin, at, at + content.length);
    at += content.length;
  }
  copy(last, text.length);
  return { ...piece, text: made, begins, ends, prefix: 0 };
}

/** Keeps the characters that `keep` says. */
export function filterPiece(piece: Piece, keep: (character: string) => boolean): Piece {
  const rewriting = new Rewriting();
  let removedFirst = 0;
  let removed = 0;
  let kept: string | undefined;
  let isChanged = false;
  for (const character of piece.text) {
    if (!keep(character)) {
      removed++;
      isChanged = true;
      continue;
    }
    if (kept === undefined) removedFirst = removed;
    else rewriting.add(kept, -removed);
    kept = character;
    removed = 0;
  }
  if (kept !== undefined) rewriting.add(kept, -removed);
  return isChanged || !isWhole(piece) ? rewriting.apply(piece, removedFirst) : piece;
}

/** Puts other text in each character's place. */
export function mapPiece(piece: Piece, map: (character: string) => string): Piece {
  const rewriting = new Rewriting();
  let isChanged = false;
  for (const character of piece.text) {
    const made = map(character);
    if (made === character) {
      rewriting.add(character, 0);
      continue;
    }
    isChanged = true;
    rewriting.replace(made, 1);
  }
  return isChanged || !isWhole(piece) ? rewriting.apply(piece) : piece;
}

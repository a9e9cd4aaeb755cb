// Changes text before it is cut: the `normalizer` of tokenizer.json.

import { asPart, booleanField, listField, textField, unknownKind, wrongField, type Part } from "./fields.ts";
import { byteCharacters } from "./byte-level.ts";
import { keepInTurns, local, replaceInTurns, sequenceOf } from "./normalize-in-turns.ts";
import { allMatches, regexPattern, textPattern, type Pattern } from "./pattern.ts";
import { filterPiece, mapPiece, prepend, replaceSpans, Rewriting, type Normalizer, type Piece } from "./pieces.ts";
import {
  isBertControl,
  isCombiningMark,
  isNonSpacingMark,
  isWhiteSpace,
  normalForm,
  type NormalForm,
} from "./unicode.ts";
import type { Work } from "../work.ts";

const WHERE = "normalizer";
const KINDS =
  "BertNormalizer, Strip, StripAccents, NFC, NFD, NFKC, NFKD, Sequence, Lowercase, Nmt, Precompiled, Replace, Prepend, ByteLevel";

/** Reads a normalizer. Throws {@link FormatError} and {@link UnsupportedError}. */
export async function readNormalizer(json: unknown): Promise<Normalizer> {
  const part = asPart(WHERE, json);
  switch (part["type"]) {
    case "Sequence": {
      const steps: Normalizer[] = [];
      for (const step of listField(WHERE, part, "normalizers")) steps.push(await readNormalizer(step));
      return sequenceOf(steps);
    }
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD": {
      const form = part["type"];
      return local((piece) => toNormalForm(piece, form));
    }
    case "Lowercase":
      return local(lowercase);
    case "StripAccents":
      return local((piece) => filterPiece(piece, (character) => !isCombiningMark(character)));
    case "Strip": {
      const left = booleanField(WHERE, part, "strip_left");
      const right = booleanField(WHERE, part, "strip_right");
      return Object.assign((piece: Piece) => strip(piece, left, right), {
        *inTurns(piece: Piece): Work<Piece> {
          const { text } = piece;
          let from = 0;
          let to = text.length;
          if (left) while (from < to && isWhiteSpace(text[from]!)) from++;
          if (right) while (to > from && isWhiteSpace(text[to - 1]!)) to--;
          return from === 0 && to === text.length ? piece : yield* keepInTurns(piece, from, to);
        },
      });
    }
    case "Nmt":
      return local(nmt);
    case "Prepend": {
      const added = textField(WHERE, part, "prepend");
      return (piece) => prepend(piece, added);
    }
    case "Replace": {
      const pattern = readReplaced(WHERE, part);
      const content = textField(WHERE, part, "content");
      const { String: wanted } = part["pattern"] as { readonly String?: string };
      // One code unit for another: no place changes.
      const isUnitForUnit = wanted?.length === 1 && content.length === 1;
      const replace = (piece: Piece): Piece =>
        isUnitForUnit && piece.begins === null && piece.prefix === 0
          ? { ...piece, text: piece.text.replaceAll(wanted, () => content) }
          : replaceSpans(piece, allMatches(pattern, piece.text), content);
      if (wanted?.length === 1) return local(replace);
      return Object.assign(replace, { inTurns: (piece: Piece) => replaceInTurns(piece, pattern, content) });
    }
    case "ByteLevel":
      return local(toBytes);
    case "BertNormalizer":
      return readBert(part);
    case "Precompiled": {
      const { readPrecompiled } = await import("./precompiled.ts");
      return readPrecompiled(textField(WHERE, part, "precompiled_charsmap"));
    }
    default:
      throw unknownKind(WHERE, part["type"], KINDS.split(", "));
  }
}

/** The `pattern` of a step: a text or a regular expression. */
export function readReplaced(where: string, part: Part): Pattern {
  const pattern = part["pattern"];
  if (typeof pattern === "object" && pattern !== null) {
    if ("String" in pattern && typeof pattern.String === "string") return textPattern(pattern.String);
    if ("Regex" in pattern && typeof pattern.Regex === "string") return regexPattern(pattern.Regex, "tokenizer.json");
  }
  throw wrongField(where, "pattern", pattern, 'an object with "String" or "Regex"');
}

function lowercase(piece: Piece): Piece {
  return mapPiece(piece, (character) => character.toLowerCase());
}

/** Each byte of the text as the character that stands for it. */
export function toBytes(piece: Piece): Piece {
  return mapPiece(piece, byteCharacters);
}

/** A base with what a normal form may join to it: marks, Hangul letters, voicing signs. */
const CLUSTER = /[^][\p{M}\u1160-\u11ff\u3131-\u318e\ud7b0-\ud7fb\uff9e\uff9f\uffa0-\uffdc]*/gu;

/** Brings a piece to a normal form. A character of it then belongs to a whole cluster of the original. */
function toNormalForm(piece: Piece, form: NormalForm): Piece {
  const made = normalForm(piece.text, form);
  if (made === piece.text) return piece;
  const rewriting = new Rewriting();
  let whole = "";
  for (const [cluster] of piece.text.matchAll(CLUSTER)) {
    const part = normalForm(cluster, form);
    whole += part;
    if (part === cluster) for (const character of cluster) rewriting.add(character, 0);
    else rewriting.replace(part, [...cluster].length, true);
  }
  if (whole === made) return rewriting.apply(piece);
  const all = new Rewriting();
  all.replace(made, [...piece.text].length, true);
  return all.apply(piece);
}

function strip(piece: Piece, left: boolean, right: boolean): Piece {
  const characters = [...piece.text];
  let from = 0;
  let to = characters.length;
  if (left) while (from < to && isWhiteSpace(characters[from]!)) from++;
  if (right) while (to > from && isWhiteSpace(characters[to - 1]!)) to--;
  if (from === 0 && to === characters.length) return piece;
  const rewriting = new Rewriting();
  for (const character of characters.slice(from, to)) rewriting.add(character, 0);
  return rewriting.apply(piece, from);
}

/** Control characters that the Nmt step removes. */
function isRemovedByNmt(character: string): boolean {
  const code = character.charCodeAt(0);
  if (code === 0x7f || code === 0x8f || code === 0x9f || code === 0x0b) return true;
  return (code >= 0x01 && code <= 0x08) || (code >= 0x0e && code <= 0x1f);
}
/** What it takes for a space. */
const NMT_SPACE = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/;

function nmt(piece: Piece): Piece {
  const kept = filterPiece(piece, (character) => !isRemovedByNmt(character));
  return mapPiece(kept, (character) => (NMT_SPACE.test(character) ? " " : character));
}

const CHINESE =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/u;

function readBert(part: Part): Normalizer {
  const cleans = booleanField(WHERE, part, "clean_text");
  const spacesChinese = booleanField(WHERE, part, "handle_chinese_chars");
  const lowers = booleanField(WHERE, part, "lowercase");
  const strips = booleanField(WHERE, part, "strip_accents", lowers);
  return local((whole) => {
    let piece = whole;
    if (cleans) {
      piece = filterPiece(piece, (character) => character !== "\0" && !isBertControl(character));
      piece = mapPiece(piece, (character) => (isWhiteSpace(character) ? " " : character));
    }
    if (spacesChinese) {
      piece = mapPiece(piece, (character) => (CHINESE.test(character) ? ` ${character} ` : character));
    }
    if (strips) {
      piece = filterPiece(toNormalForm(piece, "NFD"), (character) => !isNonSpacingMark(character));
    }
    return lowers ? lowercase(piece) : piece;
  });
}

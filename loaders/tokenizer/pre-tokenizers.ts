// Cuts text before the model sees it: the `pre_tokenizer` of tokenizer.json. A step takes all pieces and gives all pieces; it pauses now
// and then, so that a long text does not block the thread.

import {
  asPart,
  booleanField,
  characterField,
  countField,
  listField,
  textField,
  unknownKind,
  wrongField,
  type Part,
} from "./fields.ts";
import { readReplaced, toBytes } from "./normalizers.ts";
import { allMatches, classPattern, regexPattern, startOfText, textPattern, type Pattern } from "./pattern.ts";
import { prepend, replaceSpans, slice, widthAt, type Piece } from "./pieces.ts";
import { NUMERIC, PUNCTUATION, WHITE_SPACE, WORD } from "./unicode.ts";
import type { Work } from "../work.ts";

/** A step of cutting: pieces to finer pieces. */
export type PreTokenizer = (pieces: readonly Piece[]) => Work<readonly Piece[]>;

/** What becomes of the matches of a pattern that text is split by. */
export type Behavior = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";
const BEHAVIORS: readonly Behavior[] = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];

/** Characters or matches between two pauses. */
const WORK_PER_PAUSE = 20_000;
const MATCHES_PER_PAUSE = 4096;

const WHERE = "pre_tokenizer";
const KINDS =
  "BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, FixedLength, Metaspace, Punctuation, Sequence, Split, UnicodeScripts, Whitespace, WhitespaceSplit";

/** GPT-2's cut: contractions, words, numbers, punctuation, white space. */
const BYTE_LEVEL = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** The steps of a pre-tokenizer. A last one that writes text as bytes is kept apart, to be done word by word. */
export interface Cutting {
  readonly steps: readonly PreTokenizer[];
  readonly endsInBytes: boolean;
}

/** Reads a pre-tokenizer. Throws {@link FormatError} and {@link UnsupportedError}. */
export async function readPreTokenizer(json: unknown): Promise<Cutting> {
  const steps = await readSteps(json);
  const endsInBytes = steps.at(-1) === writeBytes;
  return { steps: endsInBytes ? steps.slice(0, -1) : steps, endsInBytes };
}

async function readSteps(json: unknown): Promise<PreTokenizer[]> {
  const part = asPart(WHERE, json);
  switch (part["type"]) {
    case "Sequence": {
      const steps: PreTokenizer[] = [];
      for (const step of listField(WHERE, part, "pretokenizers")) steps.push(...(await readSteps(step)));
      return steps;
    }
    case "ByteLevel":
      return readByteLevel(part);
    case "Split": {
      const pattern = readReplaced(WHERE, part);
      return [splitBy(pattern, behaviorOf(part, undefined), booleanField(WHERE, part, "invert"))];
    }
    case "Metaspace":
      return [readMetaspace(part)];
    case "Digits":
      return [
        splitBy(classPattern(NUMERIC), booleanField(WHERE, part, "individual_digits") ? "Isolated" : "Contiguous"),
      ];
    case "Punctuation":
      return [splitBy(classPattern(PUNCTUATION), behaviorOf(part, "Isolated"))];
    case "BertPreTokenizer":
      return [splitBy(classPattern(WHITE_SPACE), "Removed"), splitBy(classPattern(PUNCTUATION), "Isolated")];
    case "Whitespace":
      return [splitBy(classPattern(`${WORD}+|[^${WORD}${WHITE_SPACE}]+`), "Removed", true)];
    case "WhitespaceSplit":
      return [splitBy(classPattern(WHITE_SPACE), "Removed")];
    case "CharDelimiterSplit":
      return [splitBy(textPattern(characterField(WHERE, part, "delimiter")), "Removed")];
    case "FixedLength": {
      const length = countField(WHERE, part, "length", 5);
      if (length === 0) throw wrongField(WHERE, "length", 0, "a number of at least 1");
      return [eachPiece((piece) => cutEvery(piece, length))];
    }
    case "UnicodeScripts": {
      const { cutByScript } = await import("./unicode-scripts.ts");
      return [eachPiece(cutByScript)];
    }
    default:
      throw unknownKind(WHERE, part["type"], KINDS.split(", "));
  }
}

function behaviorOf(part: Part, otherwise: Behavior | undefined): Behavior {
  const value = part["behavior"] ?? otherwise;
  const found = BEHAVIORS.find((behavior) => behavior === value);
  if (!found) throw wrongField(WHERE, "behavior", value, `one of ${BEHAVIORS.join(", ")}`);
  return found;
}

function readByteLevel(part: Part): PreTokenizer[] {
  const steps: PreTokenizer[] = [];
  if (booleanField(WHERE, part, "add_prefix_space")) {
    steps.push(eachPiece((piece) => [piece.text.startsWith(" ") ? piece : prepend(piece, " ")]));
  }
  booleanField(WHERE, part, "trim_offsets");
  if (booleanField(WHERE, part, "use_regex", true)) {
    steps.push(splitBy(regexPattern(BYTE_LEVEL, "tokenizer.json"), "Isolated"));
  }
  return [...steps, writeBytes];
}

const writeBytes: PreTokenizer = eachPiece((piece) => [toBytes(piece)]);

function readMetaspace(part: Part): PreTokenizer {
  const mark = characterField(WHERE, part, "replacement");
  const scheme = textField(WHERE, { prepend_scheme: "always", ...part }, "prepend_scheme");
  if (!["always", "first", "never"].includes(scheme)) {
    throw wrongField(WHERE, "prepend_scheme", scheme, '"always", "first" or "never"');
  }
  if (part["add_prefix_space"] === false && scheme !== "never") {
    throw wrongField(WHERE, "add_prefix_space", false, `true, as its "prepend_scheme" is "${scheme}"`);
  }
  const split = booleanField(WHERE, part, "split", true);
  const space = textPattern(" ");
  const isMarkPut = (piece: Piece): boolean => scheme === "always" || (scheme === "first" && piece.begin === 0);
  const prepare = eachPiece((piece) => {
    const marked = replaceSpans(piece, allMatches(space, piece.text), mark);
    return [isMarkPut(marked) && !marked.text.startsWith(mark) ? prepend(marked, mark) : marked];
  });
  const cut = splitBy(textPattern(mark), "MergedWithNext");
  return function* (pieces) {
    const marked = yield* prepare(pieces);
    return split ? yield* cut(marked) : marked;
  };
}

/** A step that cuts each piece by itself. */
function eachPiece(cut: (piece: Piece) => readonly Piece[]): PreTokenizer {
  return function* (pieces) {
    const made: Piece[] = [];
    let work = 0;
    for (const piece of pieces) {
      if (piece.token >= 0) made.push(piece);
      else for (const part of cut(piece)) if (part.text !== "") made.push(part);
      if ((work += piece.text.length) > WORK_PER_PAUSE) {
        work = 0;
        yield;
      }
    }
    return made;
  };
}

/** A step that splits by a pattern. `isInverted`: what lies between the matches are the matches. */
export function splitBy(pattern: Pattern, behavior: Behavior, isInverted = false): PreTokenizer {
  return function* (pieces) {
    const made: Piece[] = [];
    let work = 0;
    for (const piece of pieces) {
      if (piece.token >= 0) {
        made.push(piece);
        continue;
      }
      const spans: number[] = [];
      const cursor = startOfText();
      while (!pattern.find(piece.text, cursor, MATCHES_PER_PAUSE, spans)) yield;
      const cuts = cutsOf(piece.text.length, spans, behavior, isInverted);
      if (cuts.length === 2 && cuts[0] === 0 && cuts[1] === piece.text.length) {
        made.push(slice(piece, 0, cuts[1]));
      } else {
        for (let i = 0; i < cuts.length; i += 2) {
          if (cuts[i]! < cuts[i + 1]!) made.push(slice(piece, cuts[i]!, cuts[i + 1]!));
          if (++work % MATCHES_PER_PAUSE === 0) yield;
        }
      }
      if ((work += piece.text.length) > WORK_PER_PAUSE) {
        work = 0;
        yield;
      }
    }
    return made;
  };
}

/** Begin and end of the parts of a text that is split at `spans`. */
function cutsOf(length: number, spans: readonly number[], behavior: Behavior, isInverted: boolean): readonly number[] {
  // Every part in order: begin, end, and whether it is a match.
  const parts: number[] = [];
  let last = 0;
  for (let i = 0; i < spans.length; i += 2) {
    if (last !== spans[i]) parts.push(last, spans[i]!, isInverted ? 1 : 0);
    parts.push(spans[i]!, spans[i + 1]!, isInverted ? 0 : 1);
    last = spans[i + 1]!;
  }
  if (last !== length) parts.push(last, length, isInverted ? 1 : 0);
  const cuts: number[] = [];
  let wasMatch = 0;
  switch (behavior) {
    case "Isolated":
      for (let i = 0; i < parts.length; i += 3) cuts.push(parts[i]!, parts[i + 1]!);
      return cuts;
    case "Removed":
      for (let i = 0; i < parts.length; i += 3) if (parts[i + 2] === 0) cuts.push(parts[i]!, parts[i + 1]!);
      return cuts;
    case "Contiguous":
    case "MergedWithPrevious":
      for (let i = 0; i < parts.length; i += 3) {
        const isMatch = parts[i + 2]!;
        const isJoined = behavior === "Contiguous" ? isMatch === wasMatch : isMatch > wasMatch;
        if (isJoined && cuts.length > 0) cuts[cuts.length - 1] = parts[i + 1]!;
        else cuts.push(parts[i]!, parts[i + 1]!);
        wasMatch = isMatch;
      }
      return cuts;
    case "MergedWithNext":
      // From the end on, begins and ends swapped.
      for (let i = parts.length - 3; i >= 0; i -= 3) {
        const isMatch = parts[i + 2]!;
        if (isMatch > wasMatch && cuts.length > 0) cuts[cuts.length - 1] = parts[i]!;
        else cuts.push(parts[i + 1]!, parts[i]!);
        wasMatch = isMatch;
      }
      return cuts.toReversed();
    default:
      behavior satisfies never;
      return cuts;
  }
}

function cutEvery(piece: Piece, length: number): Piece[] {
  const made: Piece[] = [];
  let from = 0;
  let count = 0;
  for (let at = 0; at < piece.text.length;) {
    at += widthAt(piece.text, at);
    if (++count % length === 0) {
      made.push(slice(piece, from, at));
      from = at;
    }
  }
  if (from < piece.text.length) made.push(slice(piece, from, piece.text.length));
  return made;
}

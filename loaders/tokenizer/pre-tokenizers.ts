// Cuts text before the model sees it: the `pre_tokenizer` of tokenizer.json. A step takes pieces and gives pieces; it pauses now
// and then, so that a long text does not block the thread, and gives a few pieces at a time, so that few are in memory at once.

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
import { replaceInTurns } from "./normalize-in-turns.ts";
import { readReplaced, toBytes } from "./normalizers.ts";
import { allMatches, classPattern, regexPattern, startOfText, textPattern, type Pattern } from "./pattern.ts";
import { prepend, replaceSpans, slice, type Piece } from "./pieces.ts";
import { NUMERIC, PUNCTUATION, WHITE_SPACE, WORD } from "./unicode.ts";

/** Pieces a few at a time, and pauses. */
export type Pieces = Generator<readonly Piece[] | undefined, void, undefined>;

/** A step of cutting: pieces to finer pieces. */
export type PreTokenizer = (pieces: readonly Piece[]) => Pieces;

/** What becomes of the matches of a pattern that text is split by. */
export type Behavior = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";
const BEHAVIORS: readonly Behavior[] = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];

/** Characters or matches between two pauses. */
const WORK_PER_PAUSE = 20_000;
const MATCHES_PER_PAUSE = 4096;
/** A text of more characters is replaced in turns. */
const LONG_TEXT = 1 << 15;

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
      return readMetaspace(part);
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
      return [splitBy(classPattern(`[\\s\\S]{1,${Math.min(length, 2 ** 30)}}`), "Isolated")];
    }
    case "UnicodeScripts": {
      const { SCRIPTS } = await import("./unicode-scripts.ts");
      return [splitBy(SCRIPTS, "Removed", true)];
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
    steps.push(eachPiece((piece) => (piece.text.startsWith(" ") ? piece : prepend(piece, " "))));
  }
  booleanField(WHERE, part, "trim_offsets");
  if (booleanField(WHERE, part, "use_regex", true)) {
    steps.push(splitBy(regexPattern(BYTE_LEVEL, "tokenizer.json"), "Isolated"));
  }
  return [...steps, writeBytes];
}

const writeBytes: PreTokenizer = eachPiece(toBytes);

function readMetaspace(part: Part): PreTokenizer[] {
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
  const marked = (piece: Piece): Piece =>
    isMarkPut(piece) && !piece.text.startsWith(mark) ? prepend(piece, mark) : piece;
  const prepare: PreTokenizer = function* (pieces) {
    for (const piece of pieces) {
      if (piece.token >= 0) yield [piece];
      else if (piece.text.length > LONG_TEXT) yield [marked(yield* replaceInTurns(piece, space, mark))];
      else yield [marked(replaceSpans(piece, allMatches(space, piece.text), mark))];
    }
  };
  const cut = splitBy(textPattern(mark), "MergedWithNext");
  return split ? [prepare, cut] : [prepare];
}

/** A step that changes each piece by itself. */
function eachPiece(change: (piece: Piece) => Piece): PreTokenizer {
  return function* (pieces) {
    yield pieces.map((piece) => (piece.token >= 0 ? piece : change(piece))).filter((piece) => piece.text !== "");
  };
}

/** A step that splits by a pattern. `isInverted`: what lies between the matches are the matches. */
export function splitBy(pattern: Pattern, behavior: Behavior, isInverted = false): PreTokenizer {
  return function* (pieces) {
    let made: Piece[] = [];
    let work = 0;
    for (const piece of pieces) {
      if (piece.token >= 0) made.push(piece);
      else {
        const cutter = new Cutter(piece, behavior, isInverted, made);
        const spans: number[] = [];
        const cursor = startOfText();
        for (let isOver = false; !isOver;) {
          isOver = pattern.find(piece.text, cursor, MATCHES_PER_PAUSE, spans);
          for (let i = 0; i < spans.length; i += 2) cutter.add(spans[i]!, spans[i + 1]!);
          if (isOver) cutter.end();
          else if (made.length > 0) {
            yield made;
            cutter.made = made = [];
          } else yield;
          spans.length = 0;
        }
      }
      if ((work += piece.text.length + 1) > WORK_PER_PAUSE) {
        work = 0;
        yield made;
        made = [];
      }
    }
    yield made;
  };
}

/** Puts the parts of a piece, matches and what lies between them, into `made` as a behavior says. */
class Cutter {
  made: Piece[];
  readonly #piece: Piece;
  readonly #behavior: Behavior;
  readonly #isInverted: boolean;
  /** where the last match ended */
  #last = 0;
  /** the part that may still grow; empty if there is none */
  #begin = 0;
  #end = 0;
  #wasMatch: boolean | undefined;

  constructor(piece: Piece, behavior: Behavior, isInverted: boolean, made: Piece[]) {
    this.#piece = piece;
    this.#behavior = behavior;
    this.#isInverted = isInverted;
    this.made = made;
  }

  /** Adds a match. */
  add(begin: number, end: number): void {
    if (this.#last !== begin) this.#part(this.#last, begin, this.#isInverted);
    this.#part(begin, end, !this.#isInverted);
    this.#last = end;
  }

  end(): void {
    const { length } = this.#piece.text;
    if (this.#last !== length) this.#part(this.#last, length, this.#isInverted);
    this.#flush();
  }

  #part(begin: number, end: number, isMatch: boolean): void {
    const was = this.#wasMatch;
    this.#wasMatch = isMatch;
    let isJoined = false;
    switch (this.#behavior) {
      case "Removed":
        if (!isMatch) this.#cut(begin, end);
        return;
      case "Isolated":
        this.#cut(begin, end);
        return;
      case "Contiguous":
        isJoined = isMatch === (was ?? isMatch);
        break;
      case "MergedWithPrevious":
        isJoined = isMatch && was === false;
        break;
      case "MergedWithNext":
        isJoined = !isMatch && was === true;
        break;
      default:
        this.#behavior satisfies never;
    }
    if (!isJoined || was === undefined) {
      this.#flush();
      this.#begin = begin;
    }
    this.#end = end;
  }

  #flush(): void {
    this.#cut(this.#begin, this.#end);
    this.#begin = this.#end;
  }

  #cut(begin: number, end: number): void {
    if (begin < end) this.made.push(slice(this.#piece, begin, end));
  }
}

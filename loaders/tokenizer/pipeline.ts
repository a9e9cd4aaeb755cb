// tokenizer.json -> a tokenizer: added tokens, normalizer, pre-tokenizer, model, post-processor and decoder put together as the Rust
// library does it. Its `truncation` and `padding` are for batches and say nothing of a prompt; transformers leaves them out as
// well unless it is told otherwise.

import { FormatError } from "../errors.ts";
import { LargeItems } from "../large-table.ts";
import { AddedTokens, readAddedTokens } from "./added-tokens.ts";
import { byteCharacters, manyByteCharacters } from "./byte-level.ts";
import { readDecoder, type Decoder } from "./decoders.ts";
import { asPart, unknownKind, type Part } from "./fields.ts";
import type { Model, Tokens } from "./model.ts";
import { local, normalizeInTurns } from "./normalize-in-turns.ts";
import { readNormalizer, toBytes } from "./normalizers.ts";
import { beginOf, endOf, isPutIn, isWhole, widthAt, type Normalizer, type Piece } from "./pieces.ts";
import { readPostProcessor, type PostProcessor } from "./post-processors.ts";
import { readPreTokenizer, type Cutting } from "./pre-tokenizers.ts";
import { finish, finishInTurns, type Work } from "../work.ts";

/** Words whose tokens are remembered, and how long one of them may be. */
const MAX_REMEMBERED = 50_000;
const MAX_REMEMBERED_LENGTH = 128;
/** A word of more characters is cut with pauses. */
const LONG_WORD = 4096;
/** Words between two pauses. */
const WORDS_PER_PAUSE = 2048;
/** Characters of one word between two pauses of the count above. */
const CHARACTERS_PER_PAUSE = 20_000;

/** A tokenizer.json at work. */
export class Pipeline {
  readonly added: AddedTokens;
  readonly decoder: Decoder;
  readonly model: Model;
  readonly #cutting: Cutting;
  readonly #postProcessor: PostProcessor;
  readonly #remembered = new Map<string, readonly number[]>();

  constructor(parts: {
    readonly model: Model;
    readonly added: AddedTokens;
    readonly cutting: Cutting;
    readonly postProcessor: PostProcessor;
    readonly decoder: Decoder;
  }) {
    this.model = parts.model;
    this.added = parts.added;
    this.decoder = parts.decoder;
    this.#cutting = parts.cutting;
    this.#postProcessor = parts.postProcessor;
  }

  /** The tokens of a text. `withPlaces`: with the part of the text that each stands for, else `begins` and `ends` are empty. */
  *encode(
    text: string,
    { addSpecialTokens, withPlaces }: { readonly addSpecialTokens: boolean; readonly withPlaces: boolean },
  ): Work<Tokens> {
    // Half of a surrogate pair is no character; as bytes it would be U+FFFD.
    const whole = text.isWellFormed() ? text : text.toWellFormed();
    const pieces = yield* this.added.split(whole);
    const tokens: Tokens = { ids: [], begins: [], ends: [] };
    yield* this.#cut(pieces, 0, (words) => this.#addWords(words, tokens, withPlaces));
    return this.#postProcessor(tokens, addSpecialTokens);
  }

  /** Takes pieces through the steps from one on: a few at a time, so that a long text is never all pieces at once. */
  *#cut(pieces: readonly Piece[], step: number, add: (words: readonly Piece[]) => Work<void>): Work<void> {
    const cut = this.#cutting.steps[step];
    if (!cut) return yield* add(pieces);
    for (const few of cut(pieces)) {
      if (few) yield* this.#cut(few, step + 1, add);
      yield;
    }
  }

  *#addWords(words: readonly Piece[], tokens: Tokens, withPlaces: boolean): Work<void> {
    let count = 0;
    let characters = 0;
    for (const piece of words) {
      if (piece.token >= 0) {
        tokens.ids.push(piece.token);
        if (withPlaces) addPlace(tokens, piece.begin, piece.end);
      } else if (piece.text.length > LONG_WORD && this.model.tokenizeLong)
        yield* this.#addLong(piece, tokens, withPlaces);
      else if (withPlaces) this.#addPlaced(piece, tokens);
      else for (const id of this.#idsOf(piece)) tokens.ids.push(id);
      characters += piece.text.length;
      if (++count % WORDS_PER_PAUSE === 0 || characters >= CHARACTERS_PER_PAUSE) {
        characters = 0;
        yield;
      }
    }
  }

  /** Adds the tokens of a word that is as long as a text. */
  *#addLong(given: Piece, tokens: Tokens, withPlaces: boolean): Work<void> {
    let piece = given;
    let isBytes = this.#cutting.endsInBytes;
    if (isBytes && !isWhole(piece)) {
      piece = yield* normalizeInTurns(BYTES, piece);
      isBytes = false;
    }
    const word = isBytes ? yield* bytesInTurns(piece.text) : piece.text;
    const made = yield* this.model.tokenizeLong!(word);
    const units = isBytes && withPlaces ? yield* unitsOfBytes(piece.text, word.length) : undefined;
    for (let i = 0; i < made.ids.length; i++) {
      tokens.ids.push(made.ids[i]!);
      if (withPlaces) addPlaceOf(piece, made, i, units, tokens);
      if (i % WORDS_PER_PAUSE === 0) yield;
    }
  }

  #idsOf(piece: Piece): readonly number[] {
    const word = piece.text;
    if (this.#cutting.endsInBytes && !isWhole(piece)) return this.model.tokenize(toBytes(piece).text).ids;
    const known = this.#remembered.get(word);
    if (known) return known;
    const { ids } = this.model.tokenize(this.#cutting.endsInBytes ? byteCharacters(word) : word);
    if (word.length <= MAX_REMEMBERED_LENGTH) {
      if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
      this.#remembered.set(word, ids);
    }
    return ids;
  }

  #addPlaced(piece: Piece, tokens: Tokens): void {
    if (this.#cutting.endsInBytes && !isWhole(piece)) return this.#addWord(toBytes(piece), tokens, false);
    this.#addWord(piece, tokens, this.#cutting.endsInBytes);
  }

  #addWord(piece: Piece, tokens: Tokens, isBytes: boolean): void {
    const word = isBytes ? byteCharacters(piece.text) : piece.text;
    const made = this.model.tokenize(word);
    const units = isBytes ? finish(unitsOfBytes(piece.text, word.length)) : undefined;
    for (const [i, id] of made.ids.entries()) {
      tokens.ids.push(id);
      addPlaceOf(piece, made, i, units, tokens);
    }
  }
}

const BYTES = local(toBytes);

function addPlace(tokens: Tokens, begin: number, end: number): void {
  tokens.begins.push(begin);
  tokens.ends.push(end);
}

/** Adds the place of the i-th token that was made of a piece. `units`: of a piece's bytes, the code units that they come from */
function addPlaceOf(piece: Piece, made: Tokens, i: number, units: Int32Array | undefined, tokens: Tokens): void {
  const first = units?.[made.begins[i]!] ?? made.begins[i]!;
  const last = units?.[made.ends[i]! - 1] ?? made.ends[i]! - 1;
  // What was only put in has no characters.
  const isEmpty = last < first || isPutIn(piece, last);
  addPlace(tokens, beginOf(piece, first), isEmpty ? beginOf(piece, first) : endOf(piece, last));
}

/** Code units of a long text between two pauses. */
const UNITS_PER_PAUSE = 16_384;

/** The bytes of a long text as the characters that stand for them. */
function* bytesInTurns(text: string): Work<string> {
  const made: string[] = [];
  for (let begin = 0; begin < text.length;) {
    const end = Math.min(text.length, begin + UNITS_PER_PAUSE);
    const whole = end - 1 + widthAt(text, end - 1);
    made.push(manyByteCharacters(text.slice(begin, whole)));
    begin = whole;
    yield;
  }
  return made.join("");
}

/** For each of the `count` bytes of a text's UTF-8 the code unit that its character begins with. */
function* unitsOfBytes(text: string, count: number): Work<Int32Array> {
  const units = new Int32Array(count);
  let byte = 0;
  let characters = 0;
  for (let at = 0; at < text.length;) {
    const codePoint = text.codePointAt(at)!;
    const bytes = codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
    for (let i = 0; i < bytes; i++) units[byte++] = at;
    at += codePoint > 0xffff ? 2 : 1;
    if (++characters % UNITS_PER_PAUSE === 0) yield;
  }
  return units;
}

/** Reads a tokenizer.json. Throws {@link FormatError} and {@link UnsupportedError}. */
export async function readPipeline(json: Part, signal?: AbortSignal): Promise<Pipeline> {
  const { version } = json;
  if (version !== undefined && version !== "1.0") {
    throw new FormatError("tokenizer.json", `has version ${JSON.stringify(version)}; "1.0" is wanted`);
  }
  const isThere = (name: string): boolean => json[name] !== undefined && json[name] !== null;
  const normalizer: Normalizer | undefined = isThere("normalizer")
    ? await readNormalizer(json["normalizer"])
    : undefined;
  const cutting: Cutting = isThere("pre_tokenizer")
    ? await readPreTokenizer(json["pre_tokenizer"])
    : { steps: [], endsInBytes: false };
  const model = await finishInTurns(await readModel(asPart("model", json["model"])), signal);
  return new Pipeline({
    model,
    added: new AddedTokens(readAddedTokens(json["added_tokens"]), model.vocabulary, normalizer),
    cutting,
    postProcessor: isThere("post_processor") ? readPostProcessor(json["post_processor"]) : (tokens) => tokens,
    decoder: readDecoder(json["decoder"]),
  });
}

/** The kind of a model; old files do not say it. */
function kindOf(part: Part): unknown {
  if (part["type"] !== undefined) return part["type"];
  if (part["merges"] !== undefined) return "BPE";
  if (part["max_input_chars_per_word"] !== undefined) return "WordPiece";
  return Array.isArray(part["vocab"]) || part["vocab"] instanceof LargeItems ? "Unigram" : "WordLevel";
}

async function readModel(part: Part): Promise<Work<Model>> {
  const kind = kindOf(part);
  switch (kind) {
    case "BPE":
      return (await import("./bpe.ts")).readBpe(part);
    case "Unigram":
      return (await import("./unigram.ts")).readUnigram(part);
    case "WordPiece":
      return (await import("./word-models.ts")).readWordPiece(part);
    case "WordLevel":
      return (await import("./word-models.ts")).readWordLevel(part);
    default:
      throw unknownKind("model", kind, ["BPE", "Unigram", "WordLevel", "WordPiece"]);
  }
}

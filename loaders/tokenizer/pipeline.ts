// tokenizer.json -> a tokenizer: added tokens, normalizer, pre-tokenizer, model, post-processor and decoder put together as the Rust
// library does it. Its `truncation` and `padding` are for batches and say nothing of a prompt; transformers leaves them out as
// well unless it is told otherwise.

import { FormatError } from "../errors.ts";
import { LargeItems } from "../large-table.ts";
import { AddedTokens, readAddedTokens } from "./added-tokens.ts";
import { byteCharacters } from "./byte-level.ts";
import { readDecoder, type Decoder } from "./decoders.ts";
import { asPart, unknownKind, type Part } from "./fields.ts";
import type { Model, Tokens } from "./model.ts";
import { readNormalizer, toBytes } from "./normalizers.ts";
import { beginOf, endOf, isPutIn, isWhole, widthAt, type Normalizer, type Piece } from "./pieces.ts";
import { readPostProcessor, type PostProcessor } from "./post-processors.ts";
import { readPreTokenizer, type Cutting } from "./pre-tokenizers.ts";
import { finishInTurns, type Work } from "../work.ts";

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
    let pieces: readonly Piece[] = this.added.split(whole);
    yield;
    for (const step of this.#cutting.steps) pieces = yield* step(pieces);
    const tokens: Tokens = { ids: [], begins: [], ends: [] };
    let words = 0;
    let characters = 0;
    for (const piece of pieces) {
      const isLong = piece.token < 0 && piece.text.length > LONG_WORD;
      if (withPlaces) this.#addPlaced(piece, tokens);
      else if (isLong && this.model.tokenizeLong && (!this.#cutting.endsInBytes || isWhole(piece))) {
        const word = this.#cutting.endsInBytes ? yield* bytesInTurns(piece.text) : piece.text;
        for (const id of (yield* this.model.tokenizeLong(word)).ids) tokens.ids.push(id);
      } else if (piece.token >= 0) tokens.ids.push(piece.token);
      else for (const id of this.#idsOf(piece)) tokens.ids.push(id);
      characters += piece.text.length;
      if (++words >= WORDS_PER_PAUSE || characters >= CHARACTERS_PER_PAUSE) {
        words = characters = 0;
        yield;
      }
    }
    return this.#postProcessor(tokens, addSpecialTokens);
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
    if (piece.token >= 0) {
      tokens.ids.push(piece.token);
      tokens.begins.push(piece.begin);
      tokens.ends.push(piece.end);
      return;
    }
    if (this.#cutting.endsInBytes && !isWhole(piece)) return this.#addWord(toBytes(piece), tokens, false);
    this.#addWord(piece, tokens, this.#cutting.endsInBytes);
  }

  #addWord(piece: Piece, tokens: Tokens, isBytes: boolean): void {
    const { ids, begins, ends } = this.model.tokenize(isBytes ? byteCharacters(piece.text) : piece.text);
    const units = isBytes ? unitsOfBytes(piece.text) : undefined;
    for (const [i, id] of ids.entries()) {
      const first = units?.[begins[i]!] ?? begins[i]!;
      const last = units?.[ends[i]! - 1] ?? ends[i]! - 1;
      tokens.ids.push(id);
      tokens.begins.push(beginOf(piece, first));
      // What was only put in has no characters.
      tokens.ends.push(last < first || isPutIn(piece, last) ? beginOf(piece, first) : endOf(piece, last));
    }
  }
}

/** Code units of a long text between two pauses. */
const UNITS_PER_PAUSE = 16_384;

/** The bytes of a long text as the characters that stand for them. */
function* bytesInTurns(text: string): Work<string> {
  const made: string[] = [];
  for (let begin = 0; begin < text.length;) {
    const end = Math.min(text.length, begin + UNITS_PER_PAUSE);
    const whole = end - 1 + widthAt(text, end - 1);
    made.push(byteCharacters(text.slice(begin, whole)));
    begin = whole;
    yield;
  }
  return made.join("");
}

/** For each byte of a text's UTF-8 the code unit that its character begins with. */
function unitsOfBytes(text: string): readonly number[] {
  const units: number[] = [];
  let at = 0;
  for (const character of text) {
    const codePoint = character.codePointAt(0)!;
    const bytes = codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
    for (let i = 0; i < bytes; i++) units.push(at);
    at += character.length;
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

// Added tokens: texts that are found as a whole before the model cuts the rest, such as `<|im_start|>`. Those that are not
// `normalized` are found in the text as it is, the others in what the normalizer has made of it, and as it would make them.

import { FormatError } from "../errors.ts";
import { asPart, booleanField, textField } from "./fields.ts";
import type { Vocabulary } from "./model.ts";
import { normalizeInTurns } from "./normalize-in-turns.ts";
import { slice, wholePiece, widthAt, type Normalizer, type Piece } from "./pieces.ts";
import { isWhiteSpace, isWord } from "./unicode.ts";
import type { Work } from "../work.ts";

/** Pieces, and code units, between two pauses. */
const PIECES_PER_PAUSE = 1024;
const UNITS_PER_PAUSE = 1 << 15;

/** One of `added_tokens`. */
export interface AddedToken {
  readonly content: string;
  /** found only where no letter or digit is next to it */
  readonly single_word: boolean;
  /** takes the white space before it along */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** The added tokens of a tokenizer. */
export class AddedTokens {
  readonly #ids = new Map<string, number>();
  readonly #tokens = new Map<number, AddedToken>();
  /** what an added token is decoded as, where the normalizer changes it */
  readonly #normalized = new Map<number, string>();
  readonly #specials = new Set<string>();
  readonly #inText: Finder;
  readonly #inNormalized: Finder;
  readonly #vocabulary: Vocabulary;
  readonly #normalizer: Normalizer | undefined;

  /** Ids in the file do not count: a token has that of the model's vocabulary, else the next after it. */
  constructor(tokens: readonly AddedToken[], vocabulary: Vocabulary, normalizer: Normalizer | undefined) {
    this.#vocabulary = vocabulary;
    this.#normalizer = normalizer;
    let next = vocabulary.count;
    for (const token of tokens) {
      if (token.content === "") continue;
      const known = this.idOf(token.content);
      const id = known ?? next++;
      this.#ids.set(token.content, id);
      this.#tokens.set(id, token);
      if (token.special) this.#specials.add(token.content);
      if (token.normalized && normalizer) {
        const made = normalizer(wholePiece(token.content)).text;
        if (made !== token.content) this.#normalized.set(id, made);
      }
    }
    const textOf = (id: number, { content }: AddedToken): string => this.#normalized.get(id) ?? content;
    const all = [...this.#tokens];
    this.#inText = new Finder(all.filter(([, token]) => !token.normalized).map(([id, token]) => [token.content, id]));
    this.#inNormalized = new Finder(
      all.filter(([, token]) => token.normalized).map(([id, token]) => [textOf(id, token), id]),
    );
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token) ?? this.#vocabulary.idOf(token);
  }

  /** The text of a token, as a decoder is given it. */
  tokenOf(id: number): string | undefined {
    return this.#normalized.get(id) ?? this.#tokens.get(id)?.content ?? this.#vocabulary.tokenOf(id);
  }

  has(id: number): boolean {
    return this.#tokens.has(id);
  }

  /** One more than the highest id. */
  get size(): number {
    return Math.max(this.#vocabulary.size, ...[...this.#tokens.keys()].map((id) => id + 1));
  }

  /** The ids of tokens that are left out where special tokens are. */
  specialIds(): Set<number> {
    return new Set([...this.#tokens.keys()].filter((id) => this.#specials.has(this.tokenOf(id) ?? "")));
  }

  /** Cuts the added tokens out of a text, and normalizes what lies between them. */
  *split(text: string): Work<Piece[]> {
    const pieces: Piece[] = [];
    for (const part of yield* this.#cut(wholePiece(text), this.#inText)) {
      if (part.token >= 0) pieces.push(part);
      else if (part.text !== "") {
        const normalized = this.#normalizer ? yield* normalizeInTurns(this.#normalizer, part) : part;
        for (const own of yield* this.#cut(normalized, this.#inNormalized)) if (own.text !== "") pieces.push(own);
      }
      if (pieces.length % PIECES_PER_PAUSE === 0) yield;
    }
    return pieces;
  }

  *#cut(piece: Piece, finder: Finder): Work<Piece[]> {
    const { text } = piece;
    if (text === "" || finder.isEmpty) return [piece];
    const parts: Piece[] = [];
    let last = 0;
    const found = (foundBegin: number, foundEnd: number, id: number): void => {
      let begin = foundBegin;
      let end = foundEnd;
      const token = this.#tokens.get(id)!;
      if (token.single_word && (isWord(lastCharacter(text, begin)) || isWord(firstCharacter(text, end)))) return;
      if (token.lstrip) {
        while (begin > 0 && isWhiteSpace(text[begin - 1]!)) begin--;
        begin = Math.max(begin, last);
      }
      if (token.rstrip) while (end < text.length && isWhiteSpace(text[end]!)) end++;
      if (last < begin) parts.push(slice(piece, last, begin));
      parts.push({ ...slice(piece, begin, end), token: id });
      last = end;
    };
    let at = 0;
    while ((at = finder.each(text, at, found)) >= 0) yield;
    if (last !== text.length) parts.push(slice(piece, last, text.length));
    return parts;
  }
}

function firstCharacter(text: string, at: number): string {
  const codePoint = text.codePointAt(at);
  return codePoint === undefined ? "" : String.fromCodePoint(codePoint);
}

function lastCharacter(text: string, end: number): string {
  const last = text[end - 1] ?? "";
  return /[\udc00-\udfff]/.test(last) && end > 1 ? text.slice(end - 2, end) : last;
}

/** A node of a trie: where a code unit leads, and the token that ends here, or -1. */
interface Node {
  readonly next: Map<number, Node>;
  id: number;
}

/** Finds the leftmost of some texts, and of those that begin there the longest. */
class Finder {
  readonly #root: Node = { next: new Map(), id: -1 };
  /** [65536] 1 for a code unit that a text begins with */
  readonly #begins = new Uint8Array(65536);

  /** A text that a normalizer has left nothing of is found before each character and at the end: it cuts there. */
  constructor(texts: readonly (readonly [text: string, id: number])[]) {
    for (const [text, id] of texts) {
      let node = this.#root;
      for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        let next = node.next.get(unit);
        if (!next) node.next.set(unit, (next = { next: new Map(), id: -1 }));
        node = next;
      }
      if (text !== "") this.#begins[text.charCodeAt(0)] = 1;
      if (node.id < 0) node.id = id;
    }
  }

  get isEmpty(): boolean {
    return this.#root.next.size === 0 && this.#root.id < 0;
  }

  /** Looks at some of a text from a place on; gives the place to go on at, or -1 at the end. */
  each(text: string, from: number, found: (begin: number, end: number, id: number) => void): number {
    const empty = this.#root.id;
    for (let at = from; at < text.length;) {
      if (at - from >= UNITS_PER_PAUSE) return at;
      let end = at;
      let id = empty;
      if (this.#begins[text.charCodeAt(at)] === 1) {
        let node: Node | undefined = this.#root;
        for (let i = at; i < text.length; i++) {
          node = node.next.get(text.charCodeAt(i));
          if (!node) break;
          if (node.id >= 0) [end, id] = [i + 1, node.id];
        }
      }
      if (id >= 0) found(at, end, id);
      at = end > at ? end : at + (empty >= 0 ? widthAt(text, at) : 1);
    }
    if (empty >= 0) found(text.length, text.length, empty);
    return -1;
  }
}

/** Reads `added_tokens`. */
export function readAddedTokens(json: unknown): AddedToken[] {
  if (json === undefined || json === null) return [];
  if (!Array.isArray(json)) throw new FormatError("tokenizer.json", '"added_tokens" is not a list');
  return (json as unknown[]).map((item) => {
    const part = asPart("added token", item);
    const is = (name: string): boolean => booleanField("added token", part, name);
    return {
      content: textField("added token", part, "content"),
      single_word: is("single_word"),
      lstrip: is("lstrip"),
      rstrip: is("rstrip"),
      normalized: is("normalized"),
      special: is("special"),
    };
  });
}

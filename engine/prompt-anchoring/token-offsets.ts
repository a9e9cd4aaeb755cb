// Which characters of a text each of its tokens stands for, worked out from the tokens' bytes.
//
// Tokens are walked along the text's UTF-8 bytes. What tokenizers do besides cutting is allowed for, at a price, and the
// cheapest way through is taken: tokens put in that the text lacks (`<s>`), a space put before a word (sentencepiece), white
// space dropped, characters that became the unknown token, bytes without any token. Normal forms (NFC, NFKC, ...) are
// tried in turn; a character of the text is then as fine as a base with its marks.
// Invariant: the ranges ascend, and every byte of a token that has a range is accounted for: a text and tokens that do not belong
// together are refused, never guessed at.

import type { Tokenizer } from "../../loaders/index.ts";
import type { Span } from "./spans.ts";

/** What of a tokenizer is needed to place its tokens. */
export type PlacingTokenizer = Pick<Tokenizer, "tokenBytes" | "specialTokenIds" | "unkTokenId" | "encode">;

/** A text as the tokenizer may have seen it: its bytes, and where in the original each comes from. */
interface Normalised {
  readonly bytes: Uint8Array;
  /** [bytes + 1] characters of the original that a byte belongs to: begins .. ends */
  readonly begins: Uint32Array;
  readonly ends: Uint32Array;
}

/** What the ways out of a step cost; only their order matters. */
const COST = {
  /** a space put before the text, or after a special token */
  leadingSpace: 1,
  /** a space put before any other token */
  innerSpace: 2,
  droppedSpace: 2,
  /** a special token that the text lacks, at an end and elsewhere */
  outerSpecial: 3,
  innerSpecial: 4,
  unknown: 5,
  moreUnknown: 6,
  droppedByte: 8,
} as const;

/** Ways tried per token and byte before the search gives up: a right pairing needs two or three. */
const MAX_STATES_EACH = 16;

const SPACE = 0x20;

/** Sentencepiece writes a space as this character, and so cannot tell the two apart. */
const BLOCK = "\u2581";

/**
 * The characters of `text` that each token stands for [tokens]. Tokens that share a character (parts of its UTF-8) each have all of
 * it; a token that stands for no characters, such as an added `<s>`, has an empty range where it was put in.
 *
 * @param ids what `tokenizer.encode(text)` gave, with or without special tokens
 *
 * Throws RangeError if the tokens cannot be those of the text, or the tokenizer changes text in a way that is not allowed for.
 */
export function tokenOffsets(text: string, ids: readonly number[], tokenizer: PlacingTokenizer): Span[] {
  const plain = normalised(text, (part) => part);
  const cut = exactCut(plain.bytes, ids, tokenizer);
  if (cut) return rangesOf(plain, cut);
  let reached: { token: number; character: number } | undefined;
  for (const form of formsOf(text)) {
    const seen = normalised(text, form);
    const search = new Search(seen, ids, tokenizer);
    const path = search.run();
    if (path) return rangesOf(seen, path);
    const { token } = search.farthest;
    const character = seen.begins[search.farthest.at]!;
    if (!reached || character > reached.character) reached = { token, character };
  }
  const { token, character } = reached!;
  const found = ids[token] === undefined ? "nothing" : `token ${token} ${writeBytes(tokenizer.tokenBytes(ids[token]))}`;
  throw new RangeError(
    `the ${ids.length} tokens cannot be matched with the text: at character ${character} of ${text.length} it has ` +
      `${JSON.stringify(text.slice(character, character + 12))}, and the tokens have ${found}; name anchors by tokens`,
  );
}

/** Byte ranges of the tokens, two numbers each. */
type Path = Uint32Array;

/** The path if the tokens' bytes are the text's, one after the other; null otherwise. */
function exactCut(bytes: Uint8Array, ids: readonly number[], tokenizer: PlacingTokenizer): Path | null {
  const path = new Uint32Array(2 * ids.length);
  let at = 0;
  for (const [i, id] of ids.entries()) {
    const token = tokenizer.tokenBytes(id);
    if (!matches(bytes, at, token, 0)) return null;
    path[2 * i] = at;
    path[2 * i + 1] = at += token.length;
  }
  return at === bytes.length ? path : null;
}

function matches(bytes: Uint8Array, at: number, token: Uint8Array, from: number): boolean {
  if (at + token.length - from > bytes.length) return false;
  for (let i = from; i < token.length; i++) if (bytes[at + i - from] !== token[i]) return false;
  return true;
}

function rangesOf({ begins, ends }: Normalised, path: Path): Span[] {
  return Array.from({ length: path.length / 2 }, (_, i) => {
    const from = path[2 * i]!;
    const to = path[2 * i + 1]!;
    const begin = begins[from]!;
    if (from < to) return { begin, end: ends[to - 1]! };
    // A token without bytes amid a character counts as part of it, so that the ranges ascend.
    return { begin, end: from > 0 && begins[from - 1] === begin ? ends[from]! : begin };
  });
}

/** The cheapest way through tokens and bytes: Dijkstra's algorithm with a bucket for each price. */
class Search {
  /** where it came to a stop at the latest */
  readonly farthest = { token: 0, at: 0 };
  readonly #seen: Normalised;
  readonly #ids: readonly number[];
  readonly #tokenizer: PlacingTokenizer;
  /** states by price; a state is token · (bytes + 1) + place */
  readonly #buckets: number[][] = [];
  /** state -> the state before it, of the cheapest way found so far */
  readonly #from = new Map<number, number>();
  readonly #price = new Map<number, number>();
  readonly #lossy = new Map<string, boolean>();
  readonly #stride: number;

  constructor(seen: Normalised, ids: readonly number[], tokenizer: PlacingTokenizer) {
    this.#seen = seen;
    this.#ids = ids;
    this.#tokenizer = tokenizer;
    this.#stride = seen.bytes.length + 1;
  }

  run(): Path | null {
    const goal = this.#ids.length * this.#stride + this.#seen.bytes.length;
    const limit = MAX_STATES_EACH * (this.#ids.length + this.#stride);
    const settled = new Set<number>();
    this.#offer(0, 0, 0, -1, 0);
    for (let price = 0; price < this.#buckets.length; price++) {
      const bucket = this.#buckets[price] ?? [];
      // Ways of the same price join the bucket while it is walked.
      for (const state of bucket) {
        if (settled.has(state)) continue;
        settled.add(state);
        if (state === goal) return this.#path(goal);
        if (settled.size > limit) return null;
        this.#walkOn(state, price);
      }
      delete this.#buckets[price];
    }
    return null;
  }

  #walkOn(state: number, price: number): void {
    const token = Math.floor(state / this.#stride);
    const at = state % this.#stride;
    if (at > this.farthest.at || (at === this.farthest.at && token > this.farthest.token)) {
      Object.assign(this.farthest, { token, at });
    }
    const { bytes } = this.#seen;
    const { specialTokenIds, unkTokenId } = this.#tokenizer;
    const id = this.#ids[token];
    const before = this.#ids[token - 1];
    const character = this.#character(at);
    const next = at + this.#width(at);
    if (id !== undefined) {
      const own = this.#tokenizer.tokenBytes(id);
      const isSpecial = specialTokenIds.has(id);
      if (matches(bytes, at, own, 0)) this.#offer(token + 1, at + own.length, price, state, 0);
      if (own[0] === SPACE && matches(bytes, at, own, 1)) {
        const isLeading = at === 0 || (before !== undefined && specialTokenIds.has(before));
        this.#offer(token + 1, at + own.length - 1, price, state, isLeading ? COST.leadingSpace : COST.innerSpace);
      }
      if (isSpecial) {
        const isOuter = at === 0 || at === bytes.length;
        this.#offer(token + 1, at, price, state, isOuter ? COST.outerSpecial : COST.innerSpecial);
      }
      if (id === unkTokenId && character !== "") this.#offer(token + 1, next, price, state, COST.unknown);
    }
    if (at < bytes.length && this.#losesBytes(this.#startOf(at)))
      this.#offer(token, at + 1, price, state, COST.droppedByte);
    if (character === "") return;
    if (/\s/.test(character)) this.#offer(token, next, price, state, COST.droppedSpace);
    if (before !== undefined && before === unkTokenId) this.#offer(token, next, price, state, COST.moreUnknown);
  }

  #offer(token: number, at: number, price: number, from: number, cost: number): void {
    const state = token * this.#stride + at;
    const total = price + cost;
    if (total >= (this.#price.get(state) ?? Infinity)) return;
    this.#price.set(state, total);
    this.#from.set(state, from);
    (this.#buckets[total] ??= []).push(state);
  }

  #path(goal: number): Path {
    const path = new Uint32Array(2 * this.#ids.length);
    const { unkTokenId } = this.#tokenizer;
    for (let state = goal; state > 0;) {
      const from = this.#from.get(state)!;
      const token = Math.floor(state / this.#stride);
      const at = state % this.#stride;
      if (Math.floor(from / this.#stride) < token) {
        path[2 * token - 2] = from % this.#stride;
        // What the unknown token was found to cover since reaches further.
        path[2 * token - 1] = Math.max(path[2 * token - 1]!, at);
      } else if (this.#ids[token - 1] === unkTokenId && !/\s/.test(this.#character(from % this.#stride))) {
        path[2 * token - 1] = Math.max(path[2 * token - 1]!, at);
      }
      state = from;
    }
    return path;
  }

  /** The character of the normalised text at a byte; empty in the middle of one and at the end. */
  #character(at: number): string {
    const { bytes } = this.#seen;
    return isContinuation(bytes[at]) || at >= bytes.length ? "" : utf8.decode(bytes.subarray(at, at + this.#width(at)));
  }

  /** Bytes to the next character. */
  #width(at: number): number {
    let width = 1;
    while (isContinuation(this.#seen.bytes[at + width])) width++;
    return width;
  }

  #startOf(at: number): number {
    let start = at;
    while (isContinuation(this.#seen.bytes[start])) start--;
    return start;
  }

  /** True if the tokenizer has no token for some bytes of the character that begins at a byte. */
  #losesBytes(start: number): boolean {
    const character = this.#character(start);
    let isLossy = this.#lossy.get(character);
    if (isLossy === undefined) {
      const ids = this.#tokenizer.encode(character, { addSpecialTokens: false });
      const kept = ids.flatMap((id) => [...this.#tokenizer.tokenBytes(id)]);
      if (kept[0] === SPACE) kept.shift(); // put before the first word
      const own = this.#seen.bytes.subarray(start, start + this.#width(start));
      let found = 0;
      for (const byte of own) if (byte === kept[found]) found++;
      const isSpace = /\s/.test(character) || character === BLOCK;
      isLossy = !isSpace && found === kept.length && found < own.length;
      this.#lossy.set(character, isLossy);
    }
    return isLossy;
  }
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

type Form = (text: string) => string;

/** What a tokenizer may have made of the text before it cut it, the most likely first. */
function formsOf(text: string): Form[] {
  const forms: Form[] = [(part) => part];
  for (const form of ["NFC", "NFKC", "NFD", "NFKD"] as const) {
    if (text.normalize(form) !== text) forms.push((part) => part.normalize(form));
  }
  // Sentencepiece writes a space as this character, and so cannot tell the two apart.
  const block = "\u2581";
  if (text.includes(block))
    forms.push(
      ...forms.map(
        (form): Form =>
          (part) =>
            form(part).replaceAll(block, " "),
      ),
    );
  return forms;
}

/** A character with all that a normal form may join to it: marks, Hangul letters, half-width voicing signs. */
const CLUSTER = /.[\p{M}\u1160-\u11ff\u3131-\u318e\ud7b0-\ud7fb\uff9e-\uffdc]*/gsu;

function normalised(text: string, form: Form): Normalised {
  const parts: { text: string; begin: number; end: number }[] = [];
  for (const { 0: cluster, index } of text.matchAll(CLUSTER)) {
    const changed = form(cluster);
    if (changed !== cluster) {
      parts.push({ text: changed, begin: index, end: index + cluster.length });
      continue;
    }
    let begin = index;
    for (const character of cluster) parts.push({ text: character, begin, end: (begin += character.length) });
  }
  const bytes = new TextEncoder().encode(parts.map((part) => part.text).join(""));
  const begins = new Uint32Array(bytes.length + 1).fill(text.length);
  const ends = new Uint32Array(bytes.length + 1).fill(text.length);
  let at = 0;
  for (const part of parts) {
    let next = at;
    for (const character of part.text) next += utf8Width(character.codePointAt(0)!);
    begins.fill(part.begin, at, next);
    ends.fill(part.end, at, next);
    at = next;
  }
  return { bytes, begins, ends };
}

/** Bytes of a code point in UTF-8; half of a surrogate pair is written as U+FFFD, which has 3. */
function utf8Width(codePoint: number): number {
  return codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
}

function writeBytes(bytes: Uint8Array): string {
  return JSON.stringify(new TextDecoder().decode(bytes));
}

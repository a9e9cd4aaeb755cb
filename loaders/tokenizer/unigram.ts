// Unigram (Kudo: Subword Regularization): of all ways to cut a word the one whose tokens' scores, logarithms of probabilities, have
// the largest sum; of equal ways the one found first. Unknown characters in a row become one token, or their bytes.

import { FormatError } from "../errors.ts";
import { byteTokens } from "./bpe.ts";
import { booleanField, itemsField, wrongField, type Part } from "./fields.ts";
import { MANY } from "../large-table.ts";
import { LargeMap } from "../large-values.ts";
import { Column } from "../text-table.ts";
import { finish, type Work } from "../work.ts";
import {
  largeVocabulary,
  noUnknownToken,
  smallVocabulary,
  TOKENS_PER_PAUSE,
  type Model,
  type Tokens,
} from "./model.ts";
import { widthAt } from "./pieces.ts";

const FIRST_SLOTS = 1 << 12;
const SLOTS_PER_PAUSE = 1 << 15;
/** Code units of a word, or steps back over it, between two pauses. */
const UNITS_PER_PAUSE = 1 << 13;

/** How much worse an unknown character is than the worst token. */
const UNKNOWN_PENALTY = 10;

/** Reads a Unigram model. */
export function* readUnigram(part: Part): Work<Model> {
  const list = itemsField("model", part, "vocab");
  const large = list.length > MANY ? new LargeMap<number>() : undefined;
  /** [tokens] places in the table, plus 1 */
  const places = new Int32Array(large ? list.length : 0);
  const small = new Map<string, number>();
  const tokens: string[] = [];
  const scores = new Float64Array(list.length);
  let lowest = Infinity;
  for (let id = 0; id < list.length; id++) {
    const item = list.at(id);
    const [token, score]: unknown[] = Array.isArray(item) ? item : [];
    if (typeof token !== "string" || typeof score !== "number") {
      throw new FormatError(
        "tokenizer.json",
        `token ${id} of its model is ${JSON.stringify(item)}, not a text and a score`,
      );
    }
    if (large) {
      const place = large.place(token, 0, token.length);
      large.setNumberAt(place, id);
      places[id] = place + 1;
    } else {
      small.set(token, id);
      tokens.push(token);
    }
    scores[id] = score;
    lowest = Math.min(lowest, score);
    if (id % TOKENS_PER_PAUSE === 0) yield;
  }
  const unkId = part["unk_id"] ?? null;
  if (unkId !== null && (typeof unkId !== "number" || !Number.isInteger(unkId) || unkId < 0 || unkId >= list.length)) {
    throw wrongField("model", "unk_id", unkId, `one of its ${list.length} tokens`);
  }
  const vocabulary = large ? largeVocabulary(large, places, list.length) : smallVocabulary(small, tokens, list.length);
  const trie = yield* Trie.of(large ?? small);
  const hasByteFallback = booleanField("model", part, "byte_fallback", false);
  const unknownScore = lowest - UNKNOWN_PENALTY;

  /** Ends and begins of the parts of the best way, the last part first. */
  const bestWay = function* (word: string): Work<number[]> {
    const { length } = word;
    const best = new Float64Array(length + 1);
    /** where the best way to a place comes from, plus 1 */
    const from = new Int32Array(length + 1);
    const id = new Int32Array(length + 1);
    const offer = (begin: number, end: number, score: number, token: number): void => {
      if (from[end]! > 0 && score <= best[end]!) return;
      best[end] = score;
      from[end] = begin + 1;
      id[end] = token;
    };
    let pauseAt = UNITS_PER_PAUSE;
    for (let at = 0; at < length;) {
      if (at >= pauseAt) {
        pauseAt += UNITS_PER_PAUSE;
        yield;
      }
      const next = at + widthAt(word, at);
      let hasSingle = false;
      let node = 0;
      for (let end = at; end < length;) {
        node = trie.step(node, word.charCodeAt(end++));
        if (node < 0) break;
        const token = trie.tokenAt(node);
        if (token < 0) continue;
        offer(at, end, scores[token]! + best[at]!, token);
        if (end === next) hasSingle = true;
      }
      if (!hasSingle) {
        if (unkId === null && (!from[next] || unknownScore + best[at]! > best[next]!)) throw noUnknownToken(undefined);
        offer(at, next, unknownScore + best[at]!, unkId ?? 0);
      }
      at = next;
    }
    const parts: number[] = [];
    let isUnknown = false;
    for (let end = length, count = 1; end > 0; end = from[end]! - 1, count++) {
      // Unknown parts in a row are one.
      if (isUnknown && id[end] === unkId) parts[parts.length - 1] = from[end]! - 1;
      else parts.push(end, from[end]! - 1);
      isUnknown = id[end] === unkId;
      if (count % UNITS_PER_PAUSE === 0) yield;
    }
    return parts;
  };

  const cutWord = function* (word: string): Work<Tokens> {
    const made: Tokens = { ids: [], begins: [], ends: [] };
    const parts = yield* bestWay(word);
    for (let i = parts.length - 2; i >= 0; i -= 2) {
      const [end, begin] = [parts[i]!, parts[i + 1]!];
      const text = word.slice(begin, end);
      const known = vocabulary.idOf(text);
      const found = known === undefined && hasByteFallback ? byteTokens(text, vocabulary) : undefined;
      if (known === undefined && found === undefined && unkId === null) throw noUnknownToken(undefined);
      for (const token of found ?? [known ?? unkId ?? 0]) {
        made.ids.push(token);
        made.begins.push(begin);
        made.ends.push(end);
      }
      if (i % UNITS_PER_PAUSE === 0) yield;
    }
    return made;
  };

  return {
    vocabulary,
    unkTokenId: unkId,
    tokenize: (word) => finish(cutWord(word)),
    tokenizeLong: cutWord,
  };
}

/** All tokens by their UTF-16 code units: steps from node to node in an open hash table. */
class Trie {
  #mask = FIRST_SLOTS - 1;
  #steps = 0;
  #nodes = 1;
  /** [slots] the node a step leads from, times 65536, plus the code unit, plus 1; 0 for an empty slot */
  #keys = new Float64Array(FIRST_SLOTS);
  #to = new Int32Array(FIRST_SLOTS);
  /** [nodes] the token that ends at a node, plus 1 */
  readonly #tokens = new Column(Int32Array);

  static *of(ids: ReadonlyMap<string, number>): Work<Trie> {
    const trie = new Trie();
    let count = 0;
    for (const [token, id] of ids) {
      if (++count % TOKENS_PER_PAUSE === 0) yield;
      if (token === "") continue;
      while ((trie.#steps + token.length) * 2 > trie.#mask) yield* trie.#grow();
      let node = 0;
      for (let i = 0; i < token.length; i++) node = trie.#add(node, token.charCodeAt(i));
      trie.#tokens.set(node, id + 1);
    }
    return trie;
  }

  /** The node that a code unit leads to, or -1. */
  step(node: number, unit: number): number {
    const slot = this.#slot(node * 65536 + unit + 1);
    return this.#keys[slot] === 0 ? -1 : this.#to[slot]!;
  }

  tokenAt(node: number): number {
    return this.#tokens.get(node) - 1;
  }

  #add(node: number, unit: number): number {
    const key = node * 65536 + unit + 1;
    const slot = this.#slot(key);
    if (this.#keys[slot] !== 0) return this.#to[slot]!;
    this.#steps++;
    const made = this.#nodes++;
    this.#keys[slot] = key;
    this.#to[slot] = made;
    return made;
  }

  #slot(key: number): number {
    const high = Math.floor(key / 65536);
    let slot = (Math.imul(high, 0x9e3779b1) ^ Math.imul(key & 0xffff, 0x85ebca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & this.#mask;
    while (this.#keys[slot] !== 0 && this.#keys[slot] !== key) slot = (slot + 1) & this.#mask;
    return slot;
  }

  /** Doubles the slots. */
  *#grow(): Work<void> {
    const [keys, to] = [this.#keys, this.#to];
    const slots = 2 * keys.length;
    this.#mask = slots - 1;
    this.#keys = new Float64Array(slots);
    this.#to = new Int32Array(slots);
    for (const [i, key] of keys.entries()) {
      if (i % SLOTS_PER_PAUSE === 0) yield;
      if (key === 0) continue;
      const slot = this.#slot(key);
      this.#keys[slot] = key;
      this.#to[slot] = to[i]!;
    }
  }
}

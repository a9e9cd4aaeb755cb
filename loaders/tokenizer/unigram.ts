// Unigram (Kudo: Subword Regularization): of all ways to cut a word the one whose tokens' scores, logarithms of probabilities, have
// the largest sum; of equal ways the one found first. Unknown characters in a row become one token, or their bytes.

import { FormatError } from "../errors.ts";
import { byteTokens } from "./bpe.ts";
import { booleanField, itemsField, wrongField, type Part } from "./fields.ts";
import { MANY } from "../large-table.ts";
import { LargeMap } from "../large-values.ts";
import { Column } from "../text-table.ts";
import type { Work } from "../work.ts";
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

  /** Begin and end of the parts of the best way. */
  const bestWay = (word: string): number[] => {
    const { length } = word;
    const best = new Float64Array(length + 1);
    const from = new Int32Array(length + 1).fill(-1);
    const id = new Int32Array(length + 1);
    const offer = (begin: number, end: number, score: number, token: number): void => {
      if (from[end]! >= 0 && score <= best[end]!) return;
      best[end] = score;
      from[end] = begin;
      id[end] = token;
    };
    for (let at = 0; at < length;) {
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
        if (unkId === null && (from[next]! < 0 || unknownScore + best[at]! > best[next]!))
          throw noUnknownToken(undefined);
        offer(at, next, unknownScore + best[at]!, unkId ?? 0);
      }
      at = next;
    }
    const parts: number[] = [];
    let isUnknown = false;
    for (let end = length; end > 0; end = from[end]!) {
      // Unknown parts in a row are one.
      if (isUnknown && id[end] === unkId) parts[parts.length - 1] = from[end]!;
      else parts.push(end, from[end]!);
      isUnknown = id[end] === unkId;
    }
    return parts.toReversed();
  };

  return {
    vocabulary,
    unkTokenId: unkId,
    tokenize(word) {
      const made: Tokens = { ids: [], begins: [], ends: [] };
      const parts = bestWay(word);
      for (let i = 0; i < parts.length; i += 2) {
        const [begin, end] = [parts[i]!, parts[i + 1]!];
        const text = word.slice(begin, end);
        const known = vocabulary.idOf(text);
        const found = known === undefined && hasByteFallback ? byteTokens(text, vocabulary) : undefined;
        if (known === undefined && found === undefined && unkId === null) throw noUnknownToken(undefined);
        for (const token of found ?? [known ?? unkId ?? 0]) {
          made.ids.push(token);
          made.begins.push(begin);
          made.ends.push(end);
        }
      }
      return made;
    },
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

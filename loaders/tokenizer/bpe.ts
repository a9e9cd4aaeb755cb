// Byte pair encoding: characters joined pair by pair, the pair of the lowest rank first and of equal ones the leftmost.
// (Sennrich, Haddow, Birch: Neural Machine Translation of Rare Words with Subword Units.) Pairs wait in a heap, so that a word of
// n characters takes n log n steps. A pair that waits is taken at its old rank if it still makes the same token, as in the Rust library.

import { FormatError, UnsupportedError } from "../errors.ts";
import { booleanField, itemsField, optionalText, type Part } from "./fields.ts";
import { noUnknownToken, readVocabulary, TOKENS_PER_PAUSE, type Model, type Tokens, type Vocabulary } from "./model.ts";
import { widthAt } from "./pieces.ts";
import { finish, type Work } from "../work.ts";

const WHERE = "model";

/** Reads a BPE model. Throws {@link FormatError} and {@link UnsupportedError}. */
export function* readBpe(part: Part): Work<Model> {
  const dropout = part["dropout"] ?? 0;
  if (dropout !== 0) {
    throw new UnsupportedError(
      `tokenizer.json: its model has dropout ${JSON.stringify(dropout)}, by which the same text gives other tokens each time; set it to null`,
    );
  }
  const vocabulary = yield* readVocabulary(part);
  const unk = optionalText(WHERE, part, "unk_token");
  const prefix = optionalText(WHERE, part, "continuing_subword_prefix") ?? "";
  const rules: Rules = {
    vocabulary,
    merges: yield* readMerges(part, vocabulary, prefix),
    unk,
    prefix,
    suffix: optionalText(WHERE, part, "end_of_word_suffix") ?? "",
    fusesUnknown: booleanField(WHERE, part, "fuse_unk", false),
    hasByteFallback: booleanField(WHERE, part, "byte_fallback", false),
    ignoresMerges: booleanField(WHERE, part, "ignore_merges", false),
  };
  return {
    vocabulary,
    unkTokenId: unk === undefined ? null : (vocabulary.idOf(unk) ?? null),
    tokenize(word) {
      const whole = rules.ignoresMerges ? vocabulary.idOf(word) : undefined;
      if (whole !== undefined) return { ids: [whole], begins: [0], ends: [word.length] };
      return finish(cutWord(word, rules));
    },
    *tokenizeLong(word) {
      const whole = rules.ignoresMerges ? vocabulary.idOf(word) : undefined;
      if (whole !== undefined) return { ids: [whole], begins: [0], ends: [word.length] };
      return yield* cutWord(word, rules);
    },
  };
}

interface Rules {
  readonly vocabulary: Vocabulary;
  readonly merges: Merges;
  readonly unk: string | undefined;
  readonly prefix: string;
  readonly suffix: string;
  readonly fusesUnknown: boolean;
  readonly hasByteFallback: boolean;
  readonly ignoresMerges: boolean;
}

/** Pairs of tokens with their rank and what they make: an open hash table, as a Map of 150,000 pairs takes three times the memory. */
class Merges {
  readonly #mask: number;
  /** [slots] the left token + 1, 0 for an empty slot */
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #rank: Int32Array;
  readonly #made: Int32Array;

  private constructor(slots: number, [left, right, rank, made]: readonly Int32Array[]) {
    this.#mask = slots - 1;
    this.#left = left!;
    this.#right = right!;
    this.#rank = rank!;
    this.#made = made!;
  }

  /** Room for so many pairs; millions of zeros are written in a turn of their own. */
  static *of(count: number): Work<Merges> {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(8, count * 1.6)));
    const arrays: Int32Array[] = [];
    for (let i = 0; i < 4; i++) {
      arrays.push(new Int32Array(slots));
      yield;
    }
    return new Merges(slots, arrays);
  }

  set(left: number, right: number, rank: number, made: number): void {
    const slot = this.#slot(left, right);
    this.#left[slot] = left + 1;
    this.#right[slot] = right;
    this.#rank[slot] = rank;
    this.#made[slot] = made;
  }

  /** Where a pair stands, or -1. */
  find(left: number, right: number): number {
    const slot = this.#slot(left, right);
    return this.#left[slot] === 0 ? -1 : slot;
  }

  rankAt(slot: number): number {
    return this.#rank[slot]!;
  }

  madeAt(slot: number): number {
    return this.#made[slot]!;
  }

  #slot(left: number, right: number): number {
    let slot = (Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & this.#mask;
    while (this.#left[slot] !== 0 && (this.#left[slot] !== left + 1 || this.#right[slot] !== right)) {
      slot = (slot + 1) & this.#mask;
    }
    return slot;
  }
}

function* readMerges(part: Part, vocabulary: Vocabulary, prefix: string): Work<Merges> {
  const list = itemsField(WHERE, part, "merges");
  const merges = yield* Merges.of(list.length);
  const idOf = (token: string, index: number): number => {
    const id = vocabulary.idOf(token);
    if (id === undefined) {
      throw new FormatError(
        "tokenizer.json",
        `merge ${index} of ${list.length} needs the token ${JSON.stringify(token)}, which is not in the vocabulary`,
      );
    }
    return id;
  };
  let rank = 0;
  for (let index = 0; index < list.length; index++) {
    const merge = list.at(index);
    if (index % TOKENS_PER_PAUSE === 0) yield;
    // A line of merges.txt that says its version is no merge.
    if (typeof merge === "string" && merge.startsWith("#version")) continue;
    const pair: unknown[] = typeof merge === "string" ? merge.split(" ") : Array.isArray(merge) ? merge : [];
    const [left, right] = pair;
    if (pair.length !== 2 || typeof left !== "string" || typeof right !== "string") {
      throw new FormatError(
        "tokenizer.json",
        `merge ${index} of ${list.length} is ${JSON.stringify(merge)}, not two tokens`,
      );
    }
    const made = left + right.slice(prefix.length);
    merges.set(idOf(left, index), idOf(right, index), rank++, idOf(made, index));
  }
  return merges;
}

const utf8 = new TextEncoder();

/** Characters, or joined pairs, between two pauses. */
const STEPS_PER_PAUSE = 8192;

function* cutWord(word: string, rules: Rules): Work<Tokens> {
  return yield* joinPairs(yield* symbolsOf(word, rules), rules.merges);
}

/** Tokens that are not joined yet: of a long word in arrays as long as they may become, which are not copied as they grow. */
interface Symbols {
  readonly ids: number[] | Int32Array;
  readonly begins: number[] | Int32Array;
  readonly ends: number[] | Int32Array;
  readonly count: number;
}

/** A longer word has its symbols in typed arrays. */
const LONG_WORD = 4096;
/** Most tokens of a code unit: the bytes of its UTF-8. */
const MOST_BYTES = 3;

/** The characters of a word as tokens, before any are joined. */
function* symbolsOf(word: string, rules: Rules): Work<Symbols> {
  const { vocabulary, prefix, suffix } = rules;
  const perUnit = rules.hasByteFallback ? MOST_BYTES * (1 + prefix.length) : 1;
  const most = word.length * perUnit + MOST_BYTES * suffix.length;
  const numbers = (): number[] | Int32Array => (word.length > LONG_WORD ? new Int32Array(most) : []);
  const [ids, begins, ends] = [numbers(), numbers(), numbers()];
  let count = 0;
  const add = (id: number, begin: number, end: number): void => {
    ids[count] = id;
    begins[count] = begin;
    ends[count++] = end;
  };
  let unknownBegin = -1;
  let unknownEnd = 0;
  const addUnknown = (): void => {
    const id = vocabulary.idOf(rules.unk!);
    if (id === undefined) throw noUnknownToken(rules.unk);
    add(id, unknownBegin, unknownEnd);
    unknownBegin = -1;
  };
  for (let at = 0; at < word.length;) {
    if (at % STEPS_PER_PAUSE === STEPS_PER_PAUSE - 1) yield;
    const next = at + widthAt(word, at);
    let character = word.slice(at, next);
    if (at > 0 && prefix !== "") character = prefix + character;
    if (next === word.length && suffix !== "") character += suffix;
    const id = vocabulary.idOf(character);
    if (id !== undefined) {
      if (unknownBegin >= 0) addUnknown();
      add(id, at, next);
    } else {
      const bytes = rules.hasByteFallback ? byteTokens(character, vocabulary) : undefined;
      if (bytes) for (const byte of bytes) add(byte, at, next);
      else if (rules.unk !== undefined) {
        if (unknownBegin >= 0 && !rules.fusesUnknown) addUnknown();
        if (unknownBegin < 0) unknownBegin = at;
        unknownEnd = next;
        if (vocabulary.idOf(rules.unk) === undefined) throw noUnknownToken(rules.unk);
      }
      // A character that has neither bytes nor an unknown token is left out.
    }
    at = next;
  }
  if (unknownBegin >= 0) addUnknown();
  return { ids, begins, ends, count };
}

/** The tokens of a text's bytes, if the vocabulary has them all. */
export function byteTokens(text: string, vocabulary: Vocabulary): readonly number[] | undefined {
  const ids: number[] = [];
  for (const byte of utf8.encode(text)) {
    const id = vocabulary.idOf(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
    if (id === undefined) return undefined;
    ids.push(id);
  }
  return ids;
}

/** A place and a rank as one number that orders by rank, then place. */
const PLACES = 2 ** 27;

/** Joins pairs until none is left that may be joined. */
function* joinPairs({ ids, begins, ends, count }: Symbols, merges: Merges): Work<Tokens> {
  if (count === 0) return { ids: [], begins: [], ends: [] };
  const next = new Int32Array(count);
  const previous = new Int32Array(count);
  // Each pair that is joined offers two in its place at most.
  const queue = new Heap(2 * count);
  const offer = (left: number, right: number): void => {
    const slot = merges.find(ids[left]!, ids[right]!);
    if (slot >= 0) queue.push(merges.rankAt(slot) * PLACES + left, merges.madeAt(slot));
  };
  for (let i = 0; i < count; i++) {
    next[i] = i + 1 < count ? i + 1 : -1;
    previous[i] = i - 1;
    if (i + 1 < count) offer(i, i + 1);
    if (i % STEPS_PER_PAUSE === STEPS_PER_PAUSE - 1) yield;
  }
  for (let steps = 1; ; steps++) {
    if (steps % STEPS_PER_PAUSE === 0) yield;
    const key = queue.pop();
    if (key < 0) break;
    const at = key % PLACES;
    const right = next[at]!;
    if (ids[at]! < 0 || right < 0) continue;
    const slot = merges.find(ids[at]!, ids[right]!);
    if (slot < 0 || merges.madeAt(slot) !== queue.made) continue;
    ids[at] = queue.made;
    ends[at] = ends[right]!;
    ids[right] = -1;
    const after = next[right]!;
    next[at] = after;
    if (after >= 0) previous[after] = at;
    if (previous[at]! >= 0) offer(previous[at]!, at);
    if (after >= 0) offer(at, after);
  }
  const joined: Tokens = { ids: [], begins: [], ends: [] };
  for (let i = 0; i >= 0; i = next[i]!) {
    joined.ids.push(ids[i]!);
    joined.begins.push(begins[i]!);
    joined.ends.push(ends[i]!);
    if (joined.ids.length % STEPS_PER_PAUSE === 0) yield;
  }
  return joined;
}

/** A heap of more numbers is made as long as it may become. */
const LONG_HEAP = 1 << 14;

/** Numbers, each with what its pair makes; the smallest comes out first. */
class Heap {
  readonly #keys: number[] | Float64Array;
  readonly #mades: number[] | Int32Array;
  #size = 0;
  /** what belongs to the number that came out last */
  made = -1;

  /** For at most so many numbers: an array that grows to millions would be copied at once. */
  constructor(most: number) {
    const isLong = most > LONG_HEAP;
    this.#keys = isLong ? new Float64Array(most) : [];
    this.#mades = isLong ? new Int32Array(most) : [];
  }

  push(key: number, made: number): void {
    const keys = this.#keys;
    const mades = this.#mades;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (keys[parent]! <= key) break;
      keys[at] = keys[parent]!;
      mades[at] = mades[parent]!;
      at = parent;
    }
    keys[at] = key;
    mades[at] = made;
  }

  /** Takes the smallest out; -1 if there is none. */
  pop(): number {
    const keys = this.#keys;
    const mades = this.#mades;
    if (this.#size === 0) return -1;
    const top = keys[0]!;
    this.made = mades[0]!;
    const length = --this.#size;
    const key = keys[length]!;
    const made = mades[length]!;
    if (length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && keys[child + 1]! < keys[child]!) child++;
      if (keys[child]! >= key) break;
      keys[at] = keys[child]!;
      mades[at] = mades[child]!;
      at = child;
    }
    keys[at] = key;
    mades[at] = made;
    return top;
  }
}

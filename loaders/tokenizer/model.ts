// The interface of what cuts words into tokens, and the vocabulary that it uses.

import { FormatError } from "../errors.ts";
import { LargeObject } from "../large-object.ts";
import { MANY } from "../large-table.ts";
import type { LargeMap } from "../large-values.ts";
import { asPart, type Part } from "./fields.ts";
import type { Work } from "../work.ts";

/** The tokens of a word and where in it, in UTF-16 code units, each lies. */
export interface Tokens {
  readonly ids: number[];
  readonly begins: number[];
  readonly ends: number[];
}

/** The `model` of tokenizer.json. */
export interface Model {
  readonly vocabulary: Vocabulary;
  readonly unkTokenId: number | null;
  /** Cuts a word that is not empty. Throws {@link FormatError} if it needs an unknown token and there is none. */
  tokenize(word: string): Tokens;
  /** The same with pauses, for a word that is as long as a text: some tokenizers do not cut text into words. */
  tokenizeLong?(word: string): Work<Tokens>;
}

/** Tokens and their ids. */
export interface Vocabulary {
  /** How many tokens there are; ids may reach further. */
  readonly count: number;
  /** One more than the highest id. */
  readonly size: number;
  idOf(token: string): number | undefined;
  tokenOf(id: number): string | undefined;
  /** The UTF-16 code units of a token; 0 where there is none. */
  lengthOf(id: number): number;
}

/** The vocabulary of such tokens by id. `count`: how many there are, where that is more than `ids` says. */
export function smallVocabulary(
  ids: ReadonlyMap<string, number>,
  tokens: readonly (string | undefined)[],
  count = ids.size,
): Vocabulary {
  return {
    count,
    size: tokens.length,
    idOf: (token) => ids.get(token),
    tokenOf: (id) => tokens[id],
    lengthOf: (id) => tokens[id]?.length ?? 0,
  };
}

/** The vocabulary of a table whose values are ids. `places`: [ids] the place in the table of each id's token, plus 1; 0 where there is none. */
export function largeVocabulary(ids: LargeMap<unknown>, places: Int32Array, count = ids.size): Vocabulary {
  const placeOf = (id: number): number => (places[id] ?? 0) - 1;
  return {
    count,
    size: places.length,
    idOf(token) {
      const id = ids.numberOf(token);
      return id < 0 ? undefined : id;
    },
    tokenOf(id) {
      const place = placeOf(id);
      return place < 0 ? undefined : ids.nameAt(place);
    },
    lengthOf(id) {
      const place = placeOf(id);
      return place < 0 ? 0 : ids.nameLengthAt(place);
    },
  };
}

/** Ids beyond this are a mistake: the largest vocabularies have about a million tokens. */
const MAX_ID = 20_000_000;

/** Tokens between two pauses. */
export const TOKENS_PER_PAUSE = 4096;

/** Reads a `vocab` of tokens and ids. */
export function* readVocabulary(part: Part): Work<Vocabulary> {
  const given = part["vocab"];
  if (given instanceof LargeObject && given.members.size > MANY) return yield* readLargeVocabulary(given.members);
  const ids = new Map<string, number>();
  const tokens: (string | undefined)[] = [];
  let count = 0;
  for (const [token, id] of given instanceof LargeObject
    ? given.members
    : Object.entries(asPart('model\'s "vocab"', given))) {
    if (!isId(id)) throw wrongId(token, id);
    ids.set(token, id);
    tokens[id] = token;
    if (++count % TOKENS_PER_PAUSE === 0) yield;
  }
  return smallVocabulary(ids, tokens);
}

const isId = (id: unknown): id is number => typeof id === "number" && Number.isInteger(id) && id >= 0 && id <= MAX_ID;

const wrongId = (token: string, id: unknown): FormatError =>
  new FormatError(
    "tokenizer.json",
    `token ${JSON.stringify(token)} has the id ${JSON.stringify(id)}, not a whole number from 0 to ${MAX_ID}`,
  );

function* readLargeVocabulary(members: LargeMap<unknown>): Work<Vocabulary> {
  let size = 0;
  for (let place = 0; place < members.size; place++) {
    const id = members.valueAt(place);
    if (!isId(id)) throw wrongId(members.nameAt(place), id);
    size = Math.max(size, id + 1);
    if (place % TOKENS_PER_PAUSE === 0) yield;
  }
  const places = new Int32Array(size);
  for (let place = 0; place < members.size; place++) {
    places[members.valueAt(place) as number] = place + 1;
    if (place % TOKENS_PER_PAUSE === 0) yield;
  }
  return largeVocabulary(members, places);
}

/** The error for text that needs an unknown token where there is none. */
export function noUnknownToken(token: string | undefined): FormatError {
  return new FormatError(
    "tokenizer.json",
    token === undefined
      ? "the text has a character that is not in the vocabulary, and the model has no unknown token"
      : `the text has a part that is not in the vocabulary, and neither is the unknown token ${JSON.stringify(token)}`,
  );
}

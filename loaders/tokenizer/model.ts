// The interface of what cuts words into tokens, and the vocabulary that it uses.

import { FormatError } from "../errors.ts";
import { LargeObject } from "../large-object.ts";
import type { StringTable } from "../string-table.ts";
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
export class Vocabulary {
  readonly #ids: ReadonlyMap<string, number>;
  readonly #tokens: readonly (string | undefined)[];
  /** How many tokens there are; ids may reach further. */
  readonly count: number;

  /** `tokens`: by id. `count`: how many there are, where that is more than `ids` says. */
  constructor(ids: ReadonlyMap<string, number>, tokens: readonly (string | undefined)[], count = ids.size) {
    this.#ids = ids;
    this.#tokens = tokens;
    this.count = count;
  }

  /** One more than the highest id. */
  get size(): number {
    return this.#tokens.length;
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  tokenOf(id: number): string | undefined {
    return this.#tokens[id];
  }
}

/** Ids beyond this are a mistake: the largest vocabularies have about a million tokens. */
const MAX_ID = 20_000_000;

/** Tokens between two pauses. */
export const TOKENS_PER_PAUSE = 4096;

/** Reads a `vocab` of tokens and ids. */
export function* readVocabulary(part: Part): Work<Vocabulary> {
  const given = part["vocab"];
  const isLarge = given instanceof LargeObject;
  const json = isLarge ? {} : asPart('model\'s "vocab"', given);
  const ids = new Map<string, number>();
  const tokens: (string | undefined)[] = [];
  let count = 0;
  for (const [token, id] of isLarge ? given.members : Object.entries(json)) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id > MAX_ID) {
      throw new FormatError(
        "tokenizer.json",
        `token ${JSON.stringify(token)} has the id ${JSON.stringify(id)}, not a whole number from 0 to ${MAX_ID}`,
      );
    }
    if (!isLarge) ids.set(token, id);
    tokens[id] = token;
    if (++count % TOKENS_PER_PAUSE === 0) yield;
  }
  // All of its values are numbers.
  return new Vocabulary(isLarge ? (given.members as StringTable<number>) : ids, tokens);
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

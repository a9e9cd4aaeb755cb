// WordPiece (Bert's: the longest token that a word begins with, and so on) and WordLevel (whole words).

import { countField, textField, type Part } from "./fields.ts";
import { noUnknownToken, readVocabulary, TOKENS_PER_PAUSE, type Model, type Tokens } from "./model.ts";
import type { Work } from "../work.ts";

const WHERE = "model";

/** Reads a WordPiece model. */
export function* readWordPiece(part: Part): Work<Model> {
  const unk = textField(WHERE, part, "unk_token");
  const prefix = textField(WHERE, part, "continuing_subword_prefix");
  const mostCharacters = countField(WHERE, part, "max_input_chars_per_word");
  const vocabulary = yield* readVocabulary(part);
  let longest = 0;
  for (let id = 0; id < vocabulary.size; id++) {
    longest = Math.max(longest, vocabulary.lengthOf(id));
    if (id % TOKENS_PER_PAUSE === 0) yield;
  }
  const unknown = (word: string): Tokens => {
    const id = vocabulary.idOf(unk);
    if (id === undefined) throw noUnknownToken(unk);
    return { ids: [id], begins: [0], ends: [word.length] };
  };
  return {
    vocabulary,
    unkTokenId: vocabulary.idOf(unk) ?? null,
    tokenize(word) {
      const characters = [...word];
      if (characters.length > mostCharacters) return unknown(word);
      const tokens: Tokens = { ids: [], begins: [], ends: [] };
      let from = 0;
      let begin = 0;
      while (from < characters.length) {
        // No token is longer than that, prefix or not.
        let to = Math.min(characters.length, from + longest);
        let end = begin;
        for (let i = from; i < to; i++) end += characters[i]!.length;
        let id: number | undefined;
        for (; to > from; to--) {
          id = vocabulary.idOf((from > 0 ? prefix : "") + word.slice(begin, end));
          if (id !== undefined) break;
          end -= characters[to - 1]!.length;
        }
        if (id === undefined) return unknown(word);
        tokens.ids.push(id);
        tokens.begins.push(begin);
        tokens.ends.push(end);
        from = to;
        begin = end;
      }
      return tokens;
    },
  };
}

/** Reads a WordLevel model. */
export function* readWordLevel(part: Part): Work<Model> {
  const unk = textField(WHERE, part, "unk_token");
  const vocabulary = yield* readVocabulary(part);
  return {
    vocabulary,
    unkTokenId: vocabulary.idOf(unk) ?? null,
    tokenize(word) {
      const id = vocabulary.idOf(word) ?? vocabulary.idOf(unk);
      if (id === undefined) throw noUnknownToken(unk);
      return { ids: [id], begins: [0], ends: [word.length] };
    },
  };
}

// WordPiece (Bert's: the longest token that a word begins with, and so on) and WordLevel (whole words).

import { countField, textField, type Part } from "./fields.ts";
import { noUnknownToken, readVocabulary, type Model, type Tokens } from "./model.ts";

const WHERE = "model";

/** Reads a WordPiece model. */
export function readWordPiece(part: Part): Model {
  const unk = textField(WHERE, part, "unk_token");
  const prefix = textField(WHERE, part, "continuing_subword_prefix");
  const mostCharacters = countField(WHERE, part, "max_input_chars_per_word");
  const vocabulary = readVocabulary(part);
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
        let to = characters.length;
        let end = word.length;
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
export function readWordLevel(part: Part): Model {
  const unk = textField(WHERE, part, "unk_token");
  const vocabulary = readVocabulary(part);
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

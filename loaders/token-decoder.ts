// Decodes token ids to text one at a time, by the tokenizer's decoder (tokenizer/decoders.ts). A character that several tokens share
// appears with its last byte.
// Invariant: the joined pieces of a StreamDecoder are exactly `decode` of all ids, because `decode` uses it.

import { checkOptions } from "./options.ts";

/** The parts of a tokenizer that a decoder needs. */
export interface TokenBytes {
  /** The bytes a token stands for in the middle of a text; none for an id that the vocabulary does not have. */
  tokenBytes(id: number): Uint8Array;
  readonly specialTokenIds: ReadonlySet<number>;
  /** Begins a text: tokens as the vocabulary writes them to what is certain of the text. */
  startText(): TextRun;
}

/** A text that comes token by token. */
export interface TextRun {
  /** The text that is certain now that this token has come. An id that the vocabulary does not have adds nothing. */
  push(id: number): string;
  /** Returns the rest of the text after the last token. */
  end(): string;
}

/** How ids become text. */
export interface DecodeOptions {
  /** Leave out tokens such as `<s>` and `<|im_end|>`; false by default. */
  readonly skipSpecialTokens?: boolean | undefined;
}

/** Turns token ids into text as they come. */
export class StreamDecoder {
  readonly #tokens: TokenBytes;
  readonly #skipsSpecialTokens: boolean;
  #run: TextRun;

  constructor(tokens: TokenBytes, options: DecodeOptions = {}) {
    checkOptions("StreamDecoder", options, { skipSpecialTokens: true });
    this.#tokens = tokens;
    this.#skipsSpecialTokens = options.skipSpecialTokens ?? false;
    this.#run = tokens.startText();
  }

  /** The text that is certain now that this token has come; often a word, empty in the middle of a character. */
  push(id: number): string {
    return this.#skipsSpecialTokens && this.#tokens.specialTokenIds.has(id) ? "" : this.#run.push(id);
  }

  /** Returns the rest of the text after the last token: U+FFFD for an unfinished character. The decoder can then be reused. */
  finish(): string {
    const rest = this.#run.end();
    this.#run = this.#tokens.startText();
    return rest;
  }
}

/** Text of all ids at once. */
export function decodeAll(tokens: TokenBytes, ids: Iterable<number>, options: DecodeOptions = {}): string {
  const decoder = new StreamDecoder(tokens, options);
  let text = "";
  for (const id of ids) text += decoder.push(id);
  return text + decoder.finish();
}

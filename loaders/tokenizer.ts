// Text -> tokens and back: what a model folder's tokenizer can do. load-tokenizer.ts loads one, tokenizer/ does the work, and
// chat-template/ renders chats.

import type { ChatMessage, ChatOptions } from "./chat-template/chat-template.ts";
import type { DecodeOptions, TokenBytes } from "./token-decoder.ts";

/** How text becomes ids. */
export interface EncodeOptions {
  /**
   * Add what the tokenizer adds to every text, such as `<s>`; true by default. Pass false for the text of a chat template, which
   * has them already.
   */
  readonly addSpecialTokens?: boolean | undefined;
}

/** Tokens with the characters that they stand for. */
export interface PlacedTokens {
  readonly ids: number[];
  /**
   * [ids.length] from and to which UTF-16 code unit of the text each token reaches. Tokens that share a character (parts of its
   * UTF-8) each have all of it; one that was put in, such as `<s>`, has an empty range.
   */
  readonly offsets: readonly { readonly begin: number; readonly end: number }[];
}

/** A model's tokenizer. */
export interface Tokenizer extends TokenBytes {
  /** Text to token ids, as the Rust library `tokenizers` has them. It keeps the thread to its end: about a second for 5 MB. */
  encode(text: string, options?: EncodeOptions): number[];
  /** The same with the characters that each token stands for. */
  encodeWithOffsets(text: string, options?: EncodeOptions): PlacedTokens;
  /** The same as `encode`, in turns of about 5 ms between which other work of this thread goes on: for long texts. */
  encodeInTurns(
    text: string,
    options?: EncodeOptions & { readonly signal?: AbortSignal | undefined },
  ): Promise<number[]>;
  /** The same as `encodeWithOffsets`, in turns. */
  encodeWithOffsetsInTurns(
    text: string,
    options?: EncodeOptions & { readonly signal?: AbortSignal | undefined },
  ): Promise<PlacedTokens>;
  /** Token ids to text, with nothing cleaned up: `decode(encode(text))` is the text for every byte-level tokenizer. */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  tokenToId(token: string): number | undefined;
  /** The token as the vocabulary writes it (byte-level tokenizers write a space as U+0120). */
  idToToken(id: number): string | undefined;
  /** One more than the highest id. */
  readonly vocabSize: number;
  readonly maskTokenId: number | null;
  readonly unkTokenId: number | null;
  readonly padTokenId: number | null;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
  /** The default chat template in Jinja; undefined if the model has none. */
  readonly chatTemplate: string | undefined;
  /**
   * The text of a chat as the model was trained to see it.
   * Throws {@link UnsupportedError} if the model has no template, {@link FormatError} if the template refuses the chat.
   */
  applyChatTemplate(messages: readonly ChatMessage[], options?: ChatOptions): string;
}

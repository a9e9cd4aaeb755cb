// Prompts come as text, tokens or messages; this tells lists of tokens from lists of messages.

import type { EncodeOptions, Tokenizer } from "../../loaders/index.ts";

/** True for a list of tokens; an empty list is one. */
export function isTokens(prompt: readonly number[] | readonly object[]): prompt is readonly number[] {
  return prompt.every((item) => typeof item === "number");
}

/** A text of so many characters is cut into tokens in turns. */
export const LONG_TEXT = 20_000;

/** The tokens of a text; of a long one in turns, between which other work of this thread goes on. */
export async function encodeText(
  tokenizer: Pick<Tokenizer, "encode" | "encodeInTurns">,
  text: string,
  options: EncodeOptions,
  signal: AbortSignal | undefined,
): Promise<readonly number[]> {
  if (text.length < LONG_TEXT) return tokenizer.encode(text, options);
  return tokenizer.encodeInTurns(text, { ...options, signal });
}

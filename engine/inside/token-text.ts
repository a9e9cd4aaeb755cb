// The tokens of a text that an analysis is of, with their own texts.

import type { Model } from "../model/model.ts";
import type { Prompt } from "../model/prompts.ts";

/** A token and its own text. */
export interface TokenText {
  readonly token: number;
  readonly text: string;
}

/** A token with its text; without a tokenizer that is its number. */
export function tokenText({ tokenizer }: Model, token: number): TokenText {
  return { token, text: tokenizer ? tokenizer.decode([token]) : String(token) };
}

/** The tokens of a prompt. Throws a RangeError for fewer than `least`. */
export function tokenTexts(model: Model, prompt: Prompt, where: string, least = 1): readonly TokenText[] {
  const tokens = model.tokenize(prompt).map((token) => tokenText(model, token));
  if (tokens.length >= least) return tokens;
  throw new RangeError(`${where}: the text has ${tokens.length} tokens: it needs ${least} or more`);
}

/** The place that a position means, negative ones counted from the end. Throws a RangeError for one beyond the text. */
export function placeOf(position: number, tokens: number, where: string): number {
  const place = position < 0 ? position + tokens : position;
  if (Number.isInteger(place) && place >= 0 && place < tokens) return place;
  throw new RangeError(`${where}: position is ${position}: the text has ${tokens} tokens, 0 to ${tokens - 1}`);
}

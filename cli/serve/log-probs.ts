// Log-probabilities in the two forms of OpenAI's API: lists side by side for completions, an object for each token for chats. JSON has no
// -Infinity: a token that the model rules out has the lowest number that OpenAI gives, -9999.

import type { ChosenLogProb, TokenLogProb } from "kedge";
import { StreamDecoder, type Tokenizer } from "kedge/loaders";
import { tokenBytes, tokenText } from "./token-text.ts";

const LOWEST = -9999;

const finite = (logProb: number): number => Math.max(LOWEST, logProb);

/** A token in its place; the first of a prompt has no log-probability. */
export interface PlacedToken {
  readonly token: number;
  readonly logProb: number | null;
  readonly alternatives: readonly TokenLogProb[] | null;
}

/** Log-probabilities of a completion. */
export interface CompletionLogProbs {
  readonly tokens: string[];
  readonly token_logprobs: (number | null)[];
  /** by text; the token itself is among them; null where there is no log-probability */
  readonly top_logprobs: (Readonly<Record<string, number>> | null)[];
  /** where each token begins, in characters of the text */
  readonly text_offset: number[];
}

/** Counts where tokens begin in a text whose special tokens are left out, as completions leave them out. */
export class TextOffsets {
  readonly #decoder: StreamDecoder | undefined;
  #offset = 0;

  constructor(tokenizer: Tokenizer | null) {
    this.#decoder = tokenizer ? new StreamDecoder(tokenizer, { skipSpecialTokens: true }) : undefined;
  }

  /** Passes tokens that are not part of the text that is returned. */
  pass(tokens: readonly number[]): void {
    for (const token of tokens) this.#decoder?.push(token);
  }

  /** Where this token begins, in characters. */
  next(token: number): number {
    const begin = this.#offset;
    this.#offset += Array.from(this.#decoder?.push(token) ?? "").length;
    return begin;
  }
}

/** Makes the lists of a completion. */
export function completionLogProbs(
  tokenizer: Tokenizer | null,
  placed: readonly PlacedToken[],
  offsets: TextOffsets,
): CompletionLogProbs {
  const logProbs: CompletionLogProbs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
  for (const { token, logProb, alternatives } of placed) {
    const text = tokenText(tokenizer, token);
    logProbs.tokens.push(text);
    logProbs.token_logprobs.push(logProb === null ? null : finite(logProb));
    logProbs.top_logprobs.push(logProb === null ? null : byText(tokenizer, alternatives ?? [], text, logProb));
    logProbs.text_offset.push(offsets.next(token));
  }
  return logProbs;
}

/** The likeliest tokens by their texts; of two with one text the likelier counts. */
function byText(
  tokenizer: Tokenizer | null,
  alternatives: readonly TokenLogProb[],
  own: string,
  ownLogProb: number,
): Record<string, number> {
  const byName = new Map<string, number>();
  for (const { token, logProb } of alternatives) {
    const name = tokenText(tokenizer, token);
    if (!byName.has(name)) byName.set(name, finite(logProb));
  }
  if (!byName.has(own)) byName.set(own, finite(ownLogProb));
  return Object.fromEntries(byName);
}

/** Log-probabilities of the tokens of a chat's answer. */
export function chatLogProbs(tokenizer: Tokenizer | null, chosen: readonly ChosenLogProb[]): object {
  const entry = ({ token, logProb }: TokenLogProb) => ({
    token: tokenText(tokenizer, token),
    logprob: finite(logProb),
    bytes: tokenBytes(tokenizer, token),
  });
  return {
    content: chosen.map((one) => ({ ...entry(one), top_logprobs: one.alternatives.map(entry) })),
    refusal: null,
  };
}

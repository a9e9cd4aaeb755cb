// Prompts as requests have them: texts and lists of tokens.

import type { EncodeOptions } from "kedge/loaders";
import { invalid } from "./api-error.ts";
import { listOf, shown, whole, type Reader } from "./fields.ts";
import type { ServedModel } from "./served-model.ts";

/** A prompt as it was given. */
export type GivenPrompt = string | readonly number[];

/** OpenAI's own limit. */
const MOST_PROMPTS = 2048;
/** No context is longer. */
const MOST_TOKENS = 1 << 24;

const tokens: Reader<readonly number[]> = listOf(whole(0), MOST_TOKENS);

/** Reads one prompt or several: a text, a list of tokens, or a list of either. */
export const prompts: Reader<readonly GivenPrompt[]> = (value, name) => {
  if (typeof value === "string") return [value];
  if (!Array.isArray(value))
    throw invalid(`${name} is ${shown(value)}: wanted a text, tokens, or a list of these`, name);
  if (value.length === 0) throw invalid(`${name} is an empty list: wanted 1 prompt or more`, name);
  if (typeof value[0] === "number") return [tokens(value, name)];
  return listOf<GivenPrompt>((one, at) => (typeof one === "string" ? one : tokens(one, at)), MOST_PROMPTS)(value, name);
};

/** The tokens of a text; other requests go on while a long one is cut. */
export async function encode(
  { tokenizer }: ServedModel,
  text: string,
  options: EncodeOptions,
  signal: AbortSignal,
): Promise<readonly number[]> {
  return tokenizer.encodeInTurns(text, { ...options, signal });
}

/** Most tokens of an answer: what the request says, or the server's own number, as far as the context has room for it. */
export function maxTokensOf(
  fields: { readonly max_tokens?: number; readonly max_completion_tokens?: number },
  served: ServedModel,
  promptTokens: number,
): number {
  const { max_tokens: old, max_completion_tokens: current } = fields;
  if (old !== undefined && current !== undefined && old !== current) {
    throw invalid(`max_tokens is ${old} and max_completion_tokens is ${current}: give one`, "max_tokens");
  }
  return Math.min(current ?? old ?? served.maxTokens, served.model.contextLength - promptTokens);
}

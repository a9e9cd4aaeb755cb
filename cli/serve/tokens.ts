// /tokenize, /detokenize and /tokenizer_info, as vLLM has them: clients that count tokens, or send them, need no tokenizer of their own.

import { messages } from "./chat-messages.ts";
import { invalid } from "./api-error.ts";
import { flag, listOf, readFields, text, whole } from "./fields.ts";
import { encode } from "./prompts.ts";
import type { Server, Work } from "./server.ts";

const MOST_TOKENS = 1 << 24;

/** The tokens of a text or a chat. */
export async function tokenize(body: unknown, { models }: Server, { signal }: Work): Promise<object> {
  const fields = readFields(body, {
    model: text,
    prompt: text,
    messages,
    add_special_tokens: flag,
    add_generation_prompt: flag,
    return_token_strs: flag,
  });
  const served = models.find(fields.model);
  const { prompt, messages: chat, add_generation_prompt: addGenerationPrompt = true } = fields;
  if ((prompt === undefined) === (chat === undefined)) throw invalid("wanted either prompt or messages", "prompt");
  const { tokenizer } = served;
  const rendered = prompt ?? tokenizer.applyChatTemplate(chat!, { addGenerationPrompt });
  const addSpecialTokens = fields.add_special_tokens ?? chat === undefined;
  const tokens = await encode(served, rendered, { addSpecialTokens }, signal);
  return {
    count: tokens.length,
    max_model_len: served.model.contextLength,
    tokens,
    token_strs: fields.return_token_strs === true ? tokens.map((token) => tokenizer.idToToken(token) ?? "") : null,
  };
}

/** The text of tokens. */
export async function detokenize(body: unknown, { models }: Server): Promise<object> {
  const { model, tokens } = readFields(body, { model: text, tokens: listOf(whole(0), MOST_TOKENS) });
  const served = models.find(model);
  if (!tokens) throw invalid("tokens is missing: wanted a list of tokens", "tokens");
  return { prompt: served.tokenizer.decode(tokens) };
}

/** What there is to know of a model's tokenizer. */
export function tokenizerInfo(model: string | undefined, { models }: Server): object {
  const served = models.find(model);
  const { tokenizer } = served;
  const tokenOf = (id: number | null) => (id === null ? null : (tokenizer.idToToken(id) ?? null));
  return {
    model: served.id,
    vocab_size: tokenizer.vocabSize,
    max_model_len: served.model.contextLength,
    model_max_length: served.model.contextLength,
    bos_token: tokenOf(tokenizer.bosTokenId),
    eos_token: tokenOf(tokenizer.eosTokenId),
    pad_token: tokenOf(tokenizer.padTokenId),
    unk_token: tokenOf(tokenizer.unkTokenId),
    mask_token: tokenOf(tokenizer.maskTokenId),
    bos_token_id: tokenizer.bosTokenId,
    eos_token_id: tokenizer.eosTokenId,
    pad_token_id: tokenizer.padTokenId,
    chat_template: tokenizer.chatTemplate ?? null,
  };
}

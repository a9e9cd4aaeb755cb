// The fields of a request that say how its text is decoded: OpenAI's, those that other servers have added to them, and kedge's own for
// prompt anchors and the cache.

import type { AnchoringOptions, CachePolicy, ModelGenerateOptions, PromptAnchor } from "kedge";
import { hasAnchorTags } from "kedge/anchoring";
import { parsePolicy } from "kedge/policies";
import { invalid } from "./api-error.ts";
import {
  flag,
  listOf,
  number,
  objectOf,
  refused,
  shown,
  text,
  whole,
  within,
  type Read,
  type Reader,
} from "./fields.ts";

const MOST_STOPS = 64;
const MOST_ANCHORS = 256;
const MOST_BIASES = 65_536;

const stops: Reader<readonly string[]> = (value, name) => {
  const list = typeof value === "string" ? [value] : listOf(text, MOST_STOPS)(value, name);
  if (list.includes("")) throw invalid(`${name} has an empty text: wanted 1 character or more`, name);
  return list;
};

const biases: Reader<ReadonlyMap<number, number>> = (value, name) => {
  const entries = Object.entries(objectOf(value, name));
  if (entries.length > MOST_BIASES)
    throw invalid(`${name} has ${entries.length} tokens: wanted at most ${MOST_BIASES}`, name);
  return new Map(
    entries.map(([token, bias]) => {
      if (!/^\d+$/.test(token)) throw invalid(`${name} has ${shown(token)}: its names are tokens, whole numbers`, name);
      return [Number(token), within(-100, 100)(bias, `${name}.${token}`)];
    }),
  );
};

const anchor: Reader<PromptAnchor> = (value, name) => {
  if (typeof value === "string") return value;
  const { text: own, strength, ...rest } = objectOf(value, name);
  const [further] = Object.keys(rest);
  if (further !== undefined) throw invalid(`${name} has no member ${shown(further)}: wanted text and strength`, name);
  return { text: text(own, `${name}.text`), strength: strength as number | undefined };
};

const policy: Reader<CachePolicy> = (value, name) => {
  try {
    return parsePolicy(text(value, name));
  } catch (error) {
    if (error instanceof RangeError) throw invalid(`${name}: ${error.message}`, name);
    throw error;
  }
};

const streamOptions: Reader<{ readonly includeUsage: boolean }> = (value, name) => {
  const { include_usage: usage, include_obfuscation: _padding, ...rest } = objectOf(value, name);
  const [further] = Object.keys(rest);
  if (further !== undefined) throw invalid(`${name} has no member ${shown(further)}`, name, "unknown_parameter");
  return { includeUsage: usage === undefined ? false : flag(usage, `${name}.include_usage`) };
};

const responseFormat: Reader<undefined> = (value, name) => {
  const { type } = objectOf(value, name);
  if (type === "text") return undefined;
  throw invalid(
    `${name} is of type ${shown(type)}: this version of kedge holds output to no form, so only "text" can be asked for`,
    name,
    "unsupported_parameter",
  );
};

/** The fields that chats and completions share. */
export const DECODING_FIELDS = {
  model: text,
  stream: flag,
  stream_options: streamOptions,
  n: whole(1, 128),
  max_tokens: whole(0),
  temperature: within(0, 2),
  top_p: number("a number above 0 and at most 1", (value) => value > 0 && value <= 1),
  frequency_penalty: within(-2, 2),
  presence_penalty: within(-2, 2),
  seed: whole(0),
  stop: stops,
  logit_bias: biases,
  response_format: responseFormat,
  reasoning_effort: refused("kedge's models take no effort of reasoning"),
  top_k: whole(0),
  min_p: within(0, 1),
  repetition_penalty: number("a number above 0", (value) => value > 0),
  stop_token_ids: listOf(whole(0), MOST_STOPS),
  ignore_eos: flag,
  anchors: listOf(anchor, MOST_ANCHORS),
  strength: number("a number", () => true),
  cache: policy,
} as const;

/** Fields as they were read. */
export type DecodingFields = Read<typeof DECODING_FIELDS>;

/** How the engine is to decode. The default temperature is OpenAI's, 1. */
export function decodingOptions(fields: DecodingFields, vocabSize: number): ModelGenerateOptions {
  const { logit_bias: logitBias, stop_token_ids: stopTokens } = fields;
  const wrong = [...(logitBias?.keys() ?? []), ...(stopTokens ?? [])].find((token) => token >= vocabSize);
  if (wrong !== undefined) {
    const name = logitBias?.has(wrong) ? "logit_bias" : "stop_token_ids";
    throw invalid(`${name} has token ${wrong}, but the vocabulary has ${vocabSize} tokens`, name);
  }
  return {
    samples: fields.n,
    temperature: fields.temperature ?? 1,
    topP: fields.top_p,
    topK: fields.top_k,
    minP: fields.min_p,
    repetitionPenalty: fields.repetition_penalty,
    frequencyPenalty: fields.frequency_penalty,
    presencePenalty: fields.presence_penalty,
    seed: fields.seed,
    stop: fields.stop,
    stopTokens,
    ignoreEndTokens: fields.ignore_eos,
    logitBias,
    cache: fields.cache,
  };
}

/** Selective Prompt Anchoring that a request asks for. */
export interface AskedAnchoring {
  readonly options: AnchoringOptions | undefined;
  /** most rows that are decoded beside each text */
  readonly maskedRows: number;
}

/**
 * What a request asks for by `anchors` or `strength`: then, and only then, `<anchor>` tags in the prompt count. Throws an
 * {@link ApiError} if there is nothing to hold on to.
 */
export function anchoringOf({ anchors, strength }: DecodingFields, texts: readonly string[]): AskedAnchoring {
  if (anchors === undefined && strength === undefined) return { options: undefined, maskedRows: 0 };
  if ((anchors?.length ?? 0) === 0 && !texts.some(hasAnchorTags)) {
    throw invalid("strength has nothing to hold on to: name anchors, or mark them with <anchor>…</anchor>", "strength");
  }
  // Anchors of one strength share a masked row.
  const strengths = new Set(anchors?.map((one) => (typeof one === "string" ? undefined : one.strength)));
  return { options: { anchors, strength }, maskedRows: strengths.size + (texts.some(hasAnchorTags) ? 1 : 0) };
}

// /v1/completions: texts or tokens are continued as they are. With `echo` the prompt is returned too, and with `logprobs` its
// log-probabilities: one entry for each of its tokens, of which the first is null, then those of the text.

import { randomUUID } from "node:crypto";
import type { BatchOptions, TokenLogProb } from "kedge";
import { parseAnchorTags } from "kedge/anchoring";
import { StreamDecoder } from "kedge/loaders";
import type { Answer, Prepare } from "./answering.ts";
import { invalid } from "./api-error.ts";
import { anchoringOf, DECODING_FIELDS, decodingOptions } from "./decoding-fields.ts";
import { begun } from "./event-stream.ts";
import { flag, only, readFields, whole, type Read } from "./fields.ts";
import { completionLogProbs, TextOffsets, type CompletionLogProbs, type PlacedToken } from "./log-probs.ts";
import { encode, prompts, type GivenPrompt } from "./prompts.ts";
import type { ServedModel } from "./served-model.ts";
import { FINGERPRINT, finishReasonOf, usageOf, Usage } from "./usage.ts";

/** OpenAI's default. */
const DEFAULT_MAX_TOKENS = 16;

const FIELDS = {
  ...DECODING_FIELDS,
  prompt: prompts,
  logprobs: whole(0, 20),
  echo: flag,
  best_of: whole(1, 128),
  suffix: only((value) => value === "", "kedge's models write behind a prompt, not between two texts"),
} as const;

type Fields = Read<typeof FIELDS>;

/** A prompt, ready to be continued. */
interface Prepared {
  readonly given: GivenPrompt;
  readonly tokens: readonly number[];
}

/** A part of one choice, as it comes. */
interface Part {
  readonly index: number;
  readonly text: string;
  readonly placed: readonly PlacedToken[] | undefined;
  readonly finishReason: "stop" | "length" | null;
}

interface Job {
  readonly served: ServedModel;
  readonly prepared: readonly Prepared[];
  readonly samples: number;
  readonly maxTokens: number;
  /** alternatives, if log-probabilities are wanted */
  readonly logProbs: number | undefined;
  readonly echoes: boolean;
  readonly isPlainGreedy: boolean;
  readonly options: BatchOptions;
  readonly usage: Usage;
  readonly signal: AbortSignal;
}

/** Prepares completions. */
export const prepareCompletion: Prepare = async (body, server, work): Promise<Answer> => {
  const fields = readFields(body, FIELDS);
  const served = server.models.find(fields.model);
  const { model } = served;
  const {
    n: samples = 1,
    echo: echoes = false,
    max_tokens: maxTokens = DEFAULT_MAX_TOKENS,
    logprobs: logProbs,
  } = fields;
  if (!fields.prompt) throw invalid("prompt is missing: wanted a text or a list of tokens", "prompt");
  if (fields.best_of !== undefined && fields.best_of !== samples) {
    throw invalid(
      `best_of is ${fields.best_of} and n is ${samples}: kedge returns all texts that it writes`,
      "best_of",
    );
  }
  if (maxTokens === 0 && !echoes) throw invalid("max_tokens is 0: without echo it must be at least 1", "max_tokens");
  const texts = fields.prompt.filter((prompt) => typeof prompt === "string");
  const { options: anchoring, maskedRows } = anchoringOf(fields, texts);
  if (anchoring && echoes && logProbs !== undefined) {
    throw invalid("echo with logprobs cannot be used together with anchors and strength", "echo");
  }
  const prepared: Prepared[] = [];
  for (const [i, given] of fields.prompt.entries()) {
    const tokens = typeof given === "string" ? await encode(served, plain(given, anchoring), {}, work.signal) : given;
    served.checkPrompt(tokens, fields.prompt.length === 1 ? "prompt" : `prompt[${i}]`, maxTokens === 0 ? 0 : 1);
    prepared.push({ given, tokens });
  }
  const lengths = prepared.map(({ tokens }) => tokens.length);
  const { atOnce, ...need } = served.needOf(lengths, maxTokens, { samples, masked: maskedRows });
  const decoding = decodingOptions(fields, model.config.vocabSize);
  const usage = new Usage(
    server.metrics,
    work,
    lengths.reduce((sum, length) => sum + length, 0),
  );
  const job: Job = {
    served,
    prepared,
    samples,
    maxTokens,
    logProbs,
    echoes,
    isPlainGreedy: decoding.temperature === 0 && isUntouched(fields),
    options: { ...decoding, maxTokens, anchoring, logProbs, rows: atOnce, signal: work.signal },
    usage,
    signal: work.signal,
  };
  const common = {
    id: `cmpl-${randomUUID()}`,
    object: "text_completion",
    created: Math.floor(Date.now() / 1000),
    model: served.id,
    system_fingerprint: FINGERPRINT,
  };
  return {
    served,
    need,
    make: async () => {
      if (fields.stream !== true) return wholeAnswer(job, common);
      // Anchors are found in the prompt when decoding begins.
      const stream = events(job, common, fields);
      return anchoring ? begun(stream) : stream;
    },
  };
};

/** True if the first token of a greedy text is the model's likeliest. */
function isUntouched(fields: Fields): boolean {
  const { logit_bias: bias, repetition_penalty: repetition, stop, anchors, strength } = fields;
  return (bias?.size ?? 0) === 0 && repetition === undefined && !stop && !anchors && strength === undefined;
}

function plain(text: string, anchoring: object | undefined): string {
  return anchoring ? parseAnchorTags(text).text : text;
}

/** The parts of all choices; of one choice in order. */
async function* partsOf(job: Job): AsyncGenerator<Part, void, undefined> {
  const { served, prepared, samples, maxTokens, logProbs, echoes, signal } = job;
  const { model } = served;
  let isWritten = false;
  if (echoes) {
    for (const [i, { given, tokens }] of prepared.entries()) {
      const scored = logProbs === undefined ? undefined : await promptLogProbs(job, tokens);
      const text = typeof given === "string" ? plain(given, job.options.anchoring) : echoed(job, given);
      const written = scored?.next && maxTokens === 1 && job.isPlainGreedy ? scored.next : undefined;
      isWritten ||= written !== undefined;
      for (let sample = 0; sample < samples; sample++) {
        const index = i * samples + sample;
        yield { index, text, placed: scored?.placed, finishReason: maxTokens === 0 ? "length" : null };
        if (written) yield { index, ...writtenPart(job, tokens, written) };
      }
    }
  }
  if (maxTokens === 0) return job.usage.add(0);
  // A prompt of one token has no score: its text is decoded like any other's.
  const left = isWritten ? prepared.flatMap(({ tokens }, i) => (tokens.length < 2 ? [i] : [])) : [...prepared.keys()];
  if (left.length === 0) return;
  const list = left.map((i) => (job.options.anchoring ? prepared[i]!.given : prepared[i]!.tokens));
  for await (const piece of job.usage.counted(model.generateBatch(list, { ...job.options, signal }))) {
    const { promptIndex, sampleIndex, text, tokens, logProbs: chosen, finishReason } = piece;
    yield {
      index: left[promptIndex]! * samples + sampleIndex,
      text,
      placed: chosen?.map(({ logProb, alternatives }, i) => ({ token: tokens[i]!, logProb, alternatives })),
      finishReason: finishReason === undefined ? null : finishReasonOf(finishReason),
    };
  }
}

/** The text of a prompt of tokens. */
function echoed({ served, maxTokens }: Job, prompt: readonly number[]): string {
  const { text, decoder } = decoded(served, prompt);
  return maxTokens === 0 ? text + (decoder?.finish() ?? "") : text;
}

/** The tokens of a prompt in their places, and the likeliest tokens after it. */
async function promptLogProbs({ served, logProbs = 0, options, signal }: Job, tokens: readonly number[]) {
  const first: PlacedToken = { token: tokens[0]!, logProb: null, alternatives: null };
  if (tokens.length < 2) return { placed: [first], next: undefined };
  const asked = { alternatives: Math.max(1, logProbs), cache: options.cache, signal };
  const { logProbs: scores, alternatives } = await served.model.score(tokens, asked);
  const rest = scores.map((logProb, i): PlacedToken => {
    return { token: tokens[i + 1]!, logProb, alternatives: alternatives![i]!.slice(0, logProbs) };
  });
  return { placed: [first, ...rest], next: alternatives!.at(-1)! };
}

/** The single token of a greedy text, which the score of its prompt has shown already. */
function writtenPart(
  { served, logProbs, options, usage }: Job,
  prompt: readonly number[],
  next: readonly TokenLogProb[],
) {
  const { config } = served.model;
  const { token, logProb } = next[0]!;
  usage.add(1);
  const ends = options.ignoreEndTokens === true ? [] : config.endTokenIds;
  const isEnd = [...ends, ...(options.stopTokens ?? [])].includes(token);
  const finishReason = isEnd ? ("stop" as const) : ("length" as const);
  const text = isEnd ? "" : textAfter(served, prompt, token);
  return { text, placed: [{ token, logProb, alternatives: next.slice(0, logProbs) }], finishReason };
}

/** The text of tokens, and what decodes those behind them: a character that the tokens begin comes with its last byte. */
function decoded({ model: { tokenizer } }: ServedModel, tokens: readonly number[]) {
  const decoder = tokenizer ? new StreamDecoder(tokenizer, { skipSpecialTokens: true }) : undefined;
  return { text: tokens.map((token) => decoder?.push(token) ?? "").join(""), decoder };
}

function textAfter(served: ServedModel, prompt: readonly number[], token: number): string {
  const { decoder } = decoded(served, prompt);
  return decoder ? decoder.push(token) + decoder.finish() : "";
}

/** The log-probabilities of each choice's parts, with offsets that go on from part to part. */
class PartLogProbs {
  readonly #offsets = new Map<number, TextOffsets>();
  readonly #job: Job;

  constructor(job: Job) {
    this.#job = job;
  }

  of({ index, placed }: Part): CompletionLogProbs | null {
    const { served, prepared, samples, echoes } = this.#job;
    const { tokenizer } = served.model;
    if (!placed) return null;
    let offsets = this.#offsets.get(index);
    if (!offsets) {
      this.#offsets.set(index, (offsets = new TextOffsets(tokenizer)));
      if (!echoes) offsets.pass(prepared[Math.floor(index / samples)]!.tokens);
    }
    return completionLogProbs(tokenizer, placed, offsets);
  }
}

async function* events(
  job: Job,
  common: object,
  { stream_options: options }: Fields,
): AsyncGenerator<object, void, undefined> {
  const logProbs = new PartLogProbs(job);
  const usage = options?.includeUsage === true ? { usage: null } : {};
  for await (const part of partsOf(job)) {
    const { index, text, finishReason } = part;
    const choice = { index, text, logprobs: logProbs.of(part), finish_reason: finishReason };
    yield { ...common, choices: [choice], ...usage };
  }
  if (options?.includeUsage === true) yield { ...common, choices: [], usage: usageOf(job.usage) };
}

async function wholeAnswer(job: Job, common: object): Promise<object> {
  const logProbs = new PartLogProbs(job);
  const choices = Array.from({ length: job.prepared.length * job.samples }, (_, index) => ({
    index,
    text: "",
    logprobs: null as CompletionLogProbs | null,
    finish_reason: null as string | null,
  }));
  for await (const part of partsOf(job)) {
    const choice = choices[part.index]!;
    choice.text += part.text;
    choice.logprobs = appended(choice.logprobs, logProbs.of(part));
    choice.finish_reason = part.finishReason;
  }
  return { ...common, choices, usage: usageOf(job.usage) };
}

function appended(all: CompletionLogProbs | null, more: CompletionLogProbs | null): CompletionLogProbs | null {
  if (!all || !more) return all ?? more;
  all.tokens.push(...more.tokens);
  all.token_logprobs.push(...more.token_logprobs);
  all.top_logprobs.push(...more.top_logprobs);
  all.text_offset.push(...more.text_offset);
  return all;
}

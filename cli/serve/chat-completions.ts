// /v1/chat/completions: the messages are rendered with the model's chat template, tools included, and the answer is read back.

import { randomUUID } from "node:crypto";
import type { ChosenLogProb, FinishReason, Piece, Prompt } from "kedge";
import { parseAnchorTags } from "kedge/anchoring";
import type { ChatMessage } from "kedge/loaders";
import type { Answer, Prepare } from "./answering.ts";
import { invalid } from "./api-error.ts";
import { messages, tools } from "./chat-messages.ts";
import { anchoringOf, DECODING_FIELDS, decodingOptions } from "./decoding-fields.ts";
import { flag, objectOf, only, readFields, refused, shown, whole, type Read, type Reader } from "./fields.ts";
import { begun } from "./event-stream.ts";
import { chatLogProbs } from "./log-probs.ts";
import { encode, maxTokensOf } from "./prompts.ts";
import type { ServedModel } from "./served-model.ts";
import { CLOSE, ToolCallReader, type ToolCall } from "./tool-calls.ts";
import { FINGERPRINT, finishReasonOf, usageOf, Usage } from "./usage.ts";

const toolChoice: Reader<"auto" | "none"> = (value, name) => {
  if (value === "auto" || value === "none") return value;
  throw invalid(
    `${name} is ${shown(value)}: this version of kedge cannot force a call, so only "auto" and "none" can be asked for`,
    name,
    "unsupported_parameter",
  );
};

const OLD_TOOLS = refused("this is the old form: use tools and tool_choice");

const FIELDS = {
  ...DECODING_FIELDS,
  messages,
  max_completion_tokens: whole(1),
  max_tokens: whole(1),
  logprobs: flag,
  top_logprobs: whole(0, 20),
  tools,
  tool_choice: toolChoice,
  parallel_tool_calls: flag,
  functions: OLD_TOOLS,
  function_call: OLD_TOOLS,
  chat_template_kwargs: objectOf as Reader<Readonly<Record<string, unknown>>>,
  modalities: only((value) => Array.isArray(value) && value.length === 1 && value[0] === "text", `wanted ["text"]`),
} as const;

type Fields = Read<typeof FIELDS>;

/** A part of one choice, as it comes. */
interface Delta {
  readonly index: number;
  readonly text: string;
  readonly calls: readonly ToolCall[];
  readonly logProbs: readonly ChosenLogProb[] | undefined;
  readonly finishReason: string | null;
}

/** Prepares a chat's answer. */
export const prepareChat: Prepare = async (body, server, work): Promise<Answer> => {
  const fields = readFields(body, FIELDS);
  const served = server.models.find(fields.model);
  const { model } = served;
  const chat = promptOf(fields, served);
  const tokens = await encode(served, chat.text, { addSpecialTokens: false }, work.signal);
  served.checkPrompt(tokens, "messages", 1);
  const maxTokens = maxTokensOf(fields, served, tokens.length);
  if (fields.top_logprobs !== undefined && fields.logprobs !== true) {
    throw invalid("top_logprobs wants logprobs: true", "top_logprobs");
  }
  const usage = new Usage(server.metrics, work, tokens.length);
  const { anchoring, maskedRows, hasTools } = chat;
  const readsOneCall = hasTools && fields.parallel_tool_calls === false;
  const options = {
    ...decodingOptions(fields, model.config.vocabSize),
    maxTokens,
    anchoring,
    logProbs: fields.logprobs === true ? (fields.top_logprobs ?? 0) : undefined,
    stopWhen: readsOneCall ? ({ text }: { readonly text: string }) => text.includes(CLOSE) : undefined,
    signal: work.signal,
  };
  const pieces = () => usage.counted(model.generate(anchoring ? chat.prompt : tokens, options));
  const deltas = () => deltasOf(pieces(), hasTools);
  const common = { id: `chatcmpl-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model: served.id };
  return {
    served,
    need: served.needOf([tokens.length], maxTokens, { samples: fields.n ?? 1, masked: maskedRows }),
    make: async () => {
      const making = { common, fields, usage, served };
      if (fields.stream !== true) return wholeAnswer(deltas(), making);
      // Anchors are found in the prompt when decoding begins.
      return events(anchoring ? await begun(deltas()) : deltas(), making);
    },
  };
};

/** A chat's prompt: its text, and what the engine gets of it. */
function promptOf(fields: Fields, served: ServedModel) {
  const { messages: given, tool_choice: choice, chat_template_kwargs: variables } = fields;
  if (!given) throw invalid("messages is missing: wanted a list of messages", "messages");
  const hasTools = (fields.tools?.length ?? 0) > 0 && choice !== "none";
  if (hasTools && !served.toolFormat) {
    throw invalid(
      `tools: the chat template of ${served.id} has no tools, or has them in a format that kedge does not read; it reads <tool_call> (Qwen, Hermes)`,
      "tools",
      "unsupported_parameter",
    );
  }
  const { options: anchoring, maskedRows } = anchoringOf(
    fields,
    given.map(({ content }) => content),
  );
  if (anchoring && (hasTools || variables)) {
    throw invalid(
      `${hasTools ? "tools" : "chat_template_kwargs"} cannot be used together with anchors and strength`,
      "anchors",
    );
  }
  const untagged = anchoring ? given.map(withoutTags) : given;
  const template = { ...variables, ...(hasTools && { tools: fields.tools }) };
  const text = served.tokenizer.applyChatTemplate(untagged, { ...template, addGenerationPrompt: true });
  return { text, prompt: given as Prompt, anchoring, maskedRows, hasTools };
}

function withoutTags(message: ChatMessage): ChatMessage {
  return { ...message, content: parseAnchorTags(message.content).text };
}

async function* deltasOf(pieces: AsyncIterable<Piece>, hasTools: boolean): AsyncGenerator<Delta, void, undefined> {
  const readers = new Map<number, ToolCallReader>();
  const called = new Set<number>();
  for await (const { sampleIndex: index, text, logProbs, finishReason } of pieces) {
    let reader = readers.get(index);
    if (!reader) readers.set(index, (reader = new ToolCallReader()));
    const read = hasTools
      ? joined(reader.push(text), finishReason === undefined ? undefined : reader.finish())
      : undefined;
    if (read && read.calls.length > 0) called.add(index);
    yield {
      index,
      text: read ? read.text : text,
      calls: read ? read.calls : [],
      logProbs,
      finishReason: finishReason === undefined ? null : reasonOf(finishReason, called.has(index)),
    };
  }
}

function joined(one: ReturnType<ToolCallReader["push"]>, other: typeof one | undefined): typeof one {
  return other ? { text: one.text + other.text, calls: [...one.calls, ...other.calls] } : one;
}

function reasonOf(reason: FinishReason, hasCalls: boolean): string {
  const own = finishReasonOf(reason);
  return hasCalls && own === "stop" ? "tool_calls" : own;
}

interface Making {
  readonly common: { readonly id: string; readonly created: number; readonly model: string };
  readonly fields: Fields;
  readonly usage: Usage;
  readonly served: ServedModel;
}

/** The answer as one document. */
async function wholeAnswer(deltas: AsyncIterable<Delta>, { common, fields, usage, served }: Making): Promise<object> {
  const choices = Array.from({ length: fields.n ?? 1 }, (_, index) => ({
    index,
    text: "",
    calls: [] as ToolCall[],
    logProbs: [] as ChosenLogProb[],
    finishReason: null as string | null,
  }));
  for await (const { index, text, calls, logProbs, finishReason } of deltas) {
    const choice = choices[index]!;
    choice.text += text;
    choice.calls.push(...calls);
    choice.logProbs.push(...(logProbs ?? []));
    choice.finishReason = finishReason;
  }
  return {
    ...common,
    object: "chat.completion",
    system_fingerprint: FINGERPRINT,
    choices: choices.map(({ index, text, calls, logProbs, finishReason }) => ({
      index,
      message: {
        role: "assistant",
        content: text === "" && calls.length > 0 ? null : text,
        refusal: null,
        ...(calls.length > 0 && { tool_calls: calls }),
      },
      logprobs: fields.logprobs === true ? chatLogProbs(served.model.tokenizer, logProbs) : null,
      finish_reason: finishReason,
    })),
    usage: usageOf(usage),
  };
}

/** The answer as events. */
async function* events(
  deltas: AsyncIterable<Delta>,
  { common, fields, usage, served }: Making,
): AsyncGenerator<object, void, undefined> {
  const includesUsage = fields.stream_options?.includeUsage === true;
  const chunk = (choices: readonly object[], own: object | null = null) => ({
    ...common,
    object: "chat.completion.chunk",
    system_fingerprint: FINGERPRINT,
    choices,
    ...(includesUsage && { usage: own }),
  });
  const counts = Array.from({ length: fields.n ?? 1 }, () => 0);
  for (const index of counts.keys()) {
    yield chunk([
      { index, delta: { role: "assistant", content: "", refusal: null }, logprobs: null, finish_reason: null },
    ]);
  }
  for await (const { index, text, calls, logProbs, finishReason } of deltas) {
    const logprobs = logProbs ? chatLogProbs(served.model.tokenizer, logProbs) : null;
    if (text !== "" || calls.length > 0 || logprobs) {
      const numbered = calls.map((call) => ({ index: counts[index]!++, ...call }));
      const delta = { ...(text !== "" && { content: text }), ...(calls.length > 0 && { tool_calls: numbered }) };
      yield chunk([{ index, delta, logprobs, finish_reason: null }]);
    }
    if (finishReason !== null) yield chunk([{ index, delta: {}, logprobs: null, finish_reason: finishReason }]);
  }
  if (includesUsage) yield chunk([], usageOf(usage));
}

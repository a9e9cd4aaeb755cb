// kedge serve with the clients that people have: the package `openai`, and the Vercel AI SDK with its OpenAI-compatible provider.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embed, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import OpenAI, { AuthenticationError, NotFoundError } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeScriptedModel } from "../support/scripted-model.ts";
import { metric, serving, until, type Serving } from "../support/serving.ts";

const KEY = "the key of this test";
const SHIPPED = "models/kedge-js-5m";
const HEAD = "/**\n * Keep the even numbers.\n */\nfunction even(nums) {\n";
const folder = mkdtempSync(join(tmpdir(), "kedge-serve-"));
let server: Serving;
let client: OpenAI;

beforeAll(async () => {
  writeScriptedModel(join(folder, "scripted"));
  server = await serving([join(folder, "scripted"), `js=${SHIPPED}`], { KEDGE_API_KEY: KEY });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: KEY, maxRetries: 0 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const say = (content: string) => ({ model: "scripted", messages: [{ role: "user" as const, content }] });
const TOOLS = [
  {
    type: "function" as const,
    function: {
      name: "weather",
      description: "the weather of a city",
      parameters: { type: "object", properties: { city: { type: "string" } } },
    },
  },
];

describe("the package openai", () => {
  test("lists the models and finds one", async () => {
    const ids: string[] = [];
    for await (const { id } of client.models.list()) ids.push(id);
    expect(ids).toEqual(["scripted", "js"]);
    expect(await client.models.retrieve("js")).toMatchObject({ id: "js", object: "model", owned_by: "kedge" });
    await expect(client.models.retrieve("other")).rejects.toThrow('404 there is no model "other"');
  });

  test("chats", async () => {
    const answer = await client.chat.completions.create({
      ...say("hi"),
      n: 2,
      messages: [
        { role: "developer", content: "be brief" },
        { role: "user", content: [{ type: "text", text: "hi" }] },
      ],
    });
    expect(answer.choices.map(({ index, message, finish_reason: reason }) => [index, message.content, reason])).toEqual(
      [
        [0, "Hello, wide wörld :-)", "stop"],
        [1, "Hello, wide wörld :-)", "stop"],
      ],
    );
    expect(answer.usage).toMatchObject({ completion_tokens: 10, total_tokens: 10 + answer.usage!.prompt_tokens });
    expect(answer.usage!.prompt_tokens).toBeGreaterThan(5);
  });

  test("streams a chat, with its usage at the end", async () => {
    const stream = await client.chat.completions.create({
      ...say("hi"),
      stream: true,
      stream_options: { include_usage: true },
    });
    const texts: string[] = [];
    const reasons: unknown[] = [];
    let usage: unknown;
    for await (const chunk of stream) {
      for (const { delta, finish_reason: reason } of chunk.choices) {
        if (delta.content) texts.push(delta.content);
        if (reason) reasons.push(reason);
      }
      usage = chunk.usage ?? usage;
    }
    expect(texts).toEqual(["Hello", ", wide", " wörld", " :-)"]);
    expect(reasons).toEqual(["stop"]);
    expect(usage).toMatchObject({ completion_tokens: 5 });
  });

  test("ends at a stop text and after max_completion_tokens, and says which", async () => {
    const stopped = await client.chat.completions.create({ ...say("hi"), stop: ["wö", "zz"] });
    expect(stopped.choices[0]).toMatchObject({ message: { content: "Hello, wide " }, finish_reason: "stop" });
    const short = await client.chat.completions.create({ ...say("hi"), max_completion_tokens: 2 });
    expect(short.choices[0]).toMatchObject({ message: { content: "Hello, wide" }, finish_reason: "length" });
  });

  test("gets log-probabilities of a chat, whole and streamed", async () => {
    const asked = { ...say("hi"), logprobs: true, top_logprobs: 2, max_tokens: 3 };
    const { choices } = await client.chat.completions.create(asked);
    const content = choices[0]!.logprobs!.content!;
    expect(content.map(({ token }) => token)).toEqual(["Hello", ", wide", " wörld"]);
    for (const { token, logprob, bytes, top_logprobs: top } of content) {
      expect(logprob).toBeCloseTo(0, 5);
      expect(Buffer.from(bytes!).toString()).toBe(token);
      expect(top).toHaveLength(2);
      expect(top[0]).toMatchObject({ token, logprob });
    }
    const streamed: string[] = [];
    for await (const chunk of await client.chat.completions.create({ ...asked, stream: true })) {
      for (const { logprobs } of chunk.choices) streamed.push(...(logprobs?.content ?? []).map(({ token }) => token));
    }
    expect(streamed).toEqual(content.map(({ token }) => token));
  });

  test("calls a tool, and goes on with what it returned", async () => {
    const answer = await client.chat.completions.create({ ...say("weather?"), tools: TOOLS });
    const [{ message, finish_reason: reason }] = answer.choices as [(typeof answer.choices)[number]];
    expect(reason).toBe("tool_calls");
    expect(message.content).toBe("I will look.");
    expect(message.tool_calls).toMatchObject([
      { type: "function", function: { name: "weather", arguments: '{"city":"Paris"}' } },
    ]);
    const result = { role: "tool" as const, tool_call_id: message.tool_calls![0]!.id, content: "sunny" };
    const { messages } = say("weather?");
    const next = await client.chat.completions.create({
      model: "scripted",
      messages: [...messages, message, result],
      tools: TOOLS,
    });
    expect(next.choices[0]!.message.content).toBe("Hello, wide wörld :-)");
    const without = await client.chat.completions.create({ ...say("weather?"), tools: TOOLS, tool_choice: "none" });
    expect(without.choices[0]!.message.content).toBe("Hello, wide wörld :-)");
  });

  test("streams a call of a tool", async () => {
    const runner = client.chat.completions.stream({ ...say("weather?"), tools: TOOLS });
    let text = "";
    runner.on("content", (delta) => (text += delta));
    const { choices } = await runner.finalChatCompletion();
    expect(text).toBe("I will look.");
    expect(choices[0]!.message.tool_calls).toMatchObject([
      { function: { name: "weather", arguments: '{"city":"Paris"}' } },
    ]);
    expect(choices[0]!.finish_reason).toBe("tool_calls");
  });

  test("completes texts and tokens, several at a time", async () => {
    const { tokens } = (await (
      await fetch(`${server.url}/tokenize`, {
        method: "POST",
        headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
        body: JSON.stringify({ model: "js", prompt: HEAD }),
      })
    ).json()) as { tokens: number[] };
    const options = { model: "js", temperature: 0, max_tokens: 12 };
    const alone = await client.completions.create({ ...options, prompt: HEAD });
    const both = await client.completions.create({ ...options, prompt: [tokens, tokens.slice(0, 9)], n: 2 });
    expect(both.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(both.choices[1]!.text).toBe(alone.choices[0]!.text);
    expect(both.choices[2]!.text).not.toBe(alone.choices[0]!.text);
    let streamed = "";
    for await (const { choices } of await client.completions.create({ ...options, prompt: HEAD, stream: true })) {
      streamed += choices[0]?.text ?? "";
    }
    expect(streamed).toBe(alone.choices[0]!.text);
  });

  test("draws the same for a seed, and follows logit_bias", async () => {
    const options = { model: "js", prompt: HEAD, temperature: 2, max_tokens: 12 };
    const draw = async (seed: number) => (await client.completions.create({ ...options, seed })).choices[0]!.text;
    expect(await draw(5)).toBe(await draw(5));
    expect(await draw(5)).not.toBe(await draw(6));
    const biased = await client.completions.create({
      ...options,
      temperature: 0,
      logit_bias: { "300": 100 },
      logprobs: 0,
    });
    expect(new Set(biased.choices[0]!.logprobs!.tokens).size).toBe(1);
  });

  test("embeds, as numbers and as base64, which it asks for itself", async () => {
    const input = ["keep words", "keep numbers"];
    const floats = await client.embeddings.create({ model: "js", input, encoding_format: "float" });
    const own = await client.embeddings.create({ model: "js", input });
    expect(own.data.map(({ embedding }) => embedding)).toEqual(floats.data.map(({ embedding }) => embedding));
    for (const { embedding } of floats.data) {
      expect(embedding).toHaveLength(256);
      expect(Math.hypot(...embedding)).toBeCloseTo(1, 5);
    }
    expect(floats.data[0]!.embedding).not.toEqual(floats.data[1]!.embedding);
  });

  test("meets refusals as its own kinds of error", async () => {
    await expect(
      client.chat.completions.create({ ...say("hi"), response_format: { type: "json_object" } }),
    ).rejects.toMatchObject({ status: 400, param: "response_format", code: "unsupported_parameter" });
    await expect(client.chat.completions.create({ ...say("hi"), model: "gpt" })).rejects.toBeInstanceOf(NotFoundError);
    const stranger = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "wrong", maxRetries: 0 });
    await expect(stranger.chat.completions.create(say("hi"))).rejects.toBeInstanceOf(AuthenticationError);
    await expect(client.chat.completions.create(say("word ".repeat(5000)))).rejects.toMatchObject({
      code: "context_length_exceeded",
    });
  });

  test("leaves a stream, or an answer that it waits for, and the rows are free within a token", async () => {
    const freed = async () =>
      (await keyed("kedge_rows_running")) === 0 && (await keyed("kedge_cache_live_bytes")) === 0;
    const asked = { ...say("forever"), max_tokens: 4000 };
    const begin = await keyed("kedge_generated_tokens_total");
    const stream = await client.chat.completions.create({ ...asked, stream: true });
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 5) break;
    await until(freed);
    const streamed = await keyed("kedge_generated_tokens_total");
    expect(streamed - begin).toBeLessThan(2000);
    const abort = new AbortController();
    const whole = client.chat.completions.create(asked, { signal: abort.signal });
    await until(async () => (await keyed("kedge_generated_tokens_total")) > streamed);
    abort.abort();
    await expect(whole).rejects.toThrow("aborted");
    await until(freed);
    expect((await keyed("kedge_generated_tokens_total")) - streamed).toBeLessThan(2000);
  });
});

/** The number of a metric of the model `scripted`. */
async function keyed(name: string): Promise<number> {
  const response = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${KEY}` } });
  const line = (await response.text()).split("\n").find((one) => one.startsWith(`${name}{model="scripted"`));
  return Number(line!.split(" ").at(-1));
}

const provider = () =>
  createOpenAICompatible({ name: "kedge", baseURL: `${server.url}/v1`, apiKey: KEY, includeUsage: true });
const weather = (cities: string[]) =>
  tool({
    description: "the weather of a city",
    inputSchema: jsonSchema<{ city: string }>({ type: "object", properties: { city: { type: "string" } } }),
    execute: async ({ city }) => {
      cities.push(city);
      return "sunny";
    },
  });

describe("the Vercel AI SDK", () => {
  test("generates text", async () => {
    const { text, finishReason, usage } = await generateText({ model: provider()("scripted"), prompt: "hi" });
    expect([text, finishReason, usage.outputTokens]).toEqual(["Hello, wide wörld :-)", "stop", 5]);
  });

  test("streams text, and leaves", async () => {
    const { textStream, usage } = streamText({ model: provider()("scripted"), system: "be brief", prompt: "hi" });
    const texts: string[] = [];
    for await (const text of textStream) texts.push(text);
    expect(texts.join("")).toBe("Hello, wide wörld :-)");
    expect(texts.length).toBeGreaterThan(1);
    expect((await usage).outputTokens).toBe(5);
    const abort = new AbortController();
    const endless = streamText({ model: provider()("scripted"), prompt: "forever", abortSignal: abort.signal });
    for await (const _ of endless.textStream) abort.abort();
    await until(async () => (await keyed("kedge_rows_running")) === 0);
  });

  test("runs tools in a loop, whole and streamed", async () => {
    const cities: string[] = [];
    const asked = {
      model: provider()("scripted"),
      prompt: "weather?",
      tools: { weather: weather(cities) },
      stopWhen: stepCountIs(3),
    };
    const { text, steps } = await generateText(asked);
    expect([text, steps.length, cities]).toEqual(["Hello, wide wörld :-)", 2, ["Paris"]]);
    const streamed = streamText(asked);
    expect(await streamed.text).toBe("Hello, wide wörld :-)");
    expect(cities).toEqual(["Paris", "Paris"]);
  });

  test("embeds", async () => {
    const { embedding } = await embed({ model: provider().textEmbeddingModel("js"), value: "keep words" });
    expect(embedding).toHaveLength(256);
  });

  test("meets refusals", async () => {
    const refused = generateText({ model: provider()("nobody"), prompt: "hi", maxRetries: 0 });
    await expect(refused).rejects.toThrow('there is no model "nobody"');
  });
});

test("the metrics count what was asked", async () => {
  expect(await keyed("kedge_generated_tokens_total")).toBeGreaterThan(50);
  expect(await metric(server.url, "kedge_rows_running")).toBeNaN(); // without the key nothing is said
});

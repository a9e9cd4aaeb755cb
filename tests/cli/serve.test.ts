// kedge serve: what its endpoints return, and that a text does not depend on who else is served.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadModel, type Model } from "kedge";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kedge } from "../support/command.ts";
import { writeScriptedModel } from "../support/scripted-model.ts";
import { metric, post, serving, type Json, type Serving } from "../support/serving.ts";

const SHIPPED = "models/kedge-js-5m";
const HEAD = "/**\n * Keep the even numbers.\n */\nfunction even(nums) {\n";
const folder = mkdtempSync(join(tmpdir(), "kedge-serve-"));
let server: Serving;
let model: Model;

beforeAll(async () => {
  [server, model] = await Promise.all([
    serving([SHIPPED, "--deterministic"]),
    loadModel(SHIPPED, { device: "wasm", threads: 1, deterministic: true }),
  ]);
});
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const complete = async (body: object): Promise<Json> => {
  const { status, json } = await post(`${server.url}/v1/completions`, { temperature: 0, ...body });
  expect(status, JSON.stringify(json)).toBe(200);
  return json;
};

describe("completions", () => {
  test("are what the engine writes", async () => {
    const { choices, usage } = await complete({ prompt: HEAD, max_tokens: 20 });
    const { text } = await model.complete(HEAD, { maxTokens: 20 });
    expect(choices).toEqual([{ index: 0, text, logprobs: null, finish_reason: "length" }]);
    expect(usage).toEqual({ prompt_tokens: 18, completion_tokens: 20, total_tokens: 38 });
  });

  test("follow the options of sampling, of the cache and of prompt anchors", async () => {
    const drawn = { prompt: HEAD, max_tokens: 16, temperature: 1.5, seed: 3, top_k: 20, min_p: 0.02 };
    const expected = await model.complete(HEAD, { maxTokens: 16, temperature: 1.5, seed: 3, topK: 20, minP: 0.02 });
    expect((await complete(drawn)).choices[0].text).toBe(expected.text);
    const window = await complete({ prompt: HEAD, max_tokens: 16, cache: "window:8" });
    const { policies } = await import("kedge");
    const kept = await model.complete(HEAD, { maxTokens: 16, cache: policies.window({ budget: 8 }) });
    expect(window.choices[0].text).toBe(kept.text);
    const anchors = [{ text: "even numbers", strength: 3 }, "Keep"];
    const anchored = await complete({ prompt: HEAD, max_tokens: 16, anchors, strength: 2 });
    const held = await model.complete(HEAD, { maxTokens: 16, anchoring: { strength: 2, anchors } });
    expect(anchored.choices[0].text).toBe(held.text);
    const tags = HEAD.replace("even numbers", "<anchor>even numbers</anchor>");
    const tagged = await complete({ prompt: tags, max_tokens: 16, strength: 2 });
    const plain = await model.complete(tags, { maxTokens: 16, anchoring: { strength: 2 } });
    expect(tagged.choices[0].text).toBe(plain.text);
    const literal = await complete({ prompt: tags, max_tokens: 1 });
    expect(literal.usage.prompt_tokens).toBeGreaterThan(tagged.usage.prompt_tokens);
  });

  test("echo a prompt with an entry for each of its tokens, the first null, and one for the token written", async () => {
    const tokens = model.tokenize(HEAD);
    const { logProbs } = await model.score(tokens);
    const best = await model.complete(HEAD, { maxTokens: 1 });
    for (const prompt of [HEAD, tokens]) {
      const { choices } = await complete({ prompt, max_tokens: 1, echo: true, logprobs: 1 });
      const [{ text, logprobs, finish_reason: reason }] = choices;
      expect([text, reason]).toEqual([HEAD + best.text, "length"]);
      expect(logprobs.tokens.join("")).toBe(HEAD + best.text);
      expect(logprobs.token_logprobs).toHaveLength(tokens.length + 1);
      expect([logprobs.token_logprobs[0], logprobs.top_logprobs[0]]).toEqual([null, null]);
      for (const [i, logProb] of logProbs.entries()) expect(logprobs.token_logprobs[i + 1]).toBeCloseTo(logProb, 4);
      expect(logprobs.token_logprobs.at(-1)).toBe(Math.max(...Object.values<number>(logprobs.top_logprobs.at(-1))));
      for (const [i, offset] of logprobs.text_offset.entries()) {
        expect(text.slice(offset, offset + logprobs.tokens[i].length)).toBe(logprobs.tokens[i]);
      }
    }
    const { choices } = await complete({ prompt: [HEAD, tokens.slice(0, 9)], max_tokens: 0, echo: true, logprobs: 0 });
    expect(choices.map(({ logprobs }: Json) => logprobs.token_logprobs.length)).toEqual([tokens.length, 9]);
    expect(Object.keys(choices[1].logprobs.top_logprobs[3])).toEqual([choices[1].logprobs.tokens[3]]);
  });

  test("tell greedy tokens of a prompt by equality with the largest of the likeliest", async () => {
    const { tokens } = await model.complete(HEAD, { maxTokens: 12 });
    const context = model.tokenize(HEAD);
    const flags = async (continuation: readonly number[]) => {
      const prompt = [...context, ...continuation];
      const { choices } = await complete({ prompt, max_tokens: 1, echo: true, logprobs: 1 });
      const { token_logprobs: own, top_logprobs: top } = choices[0].logprobs;
      return own.slice(context.length, -1).map((one: number, i: number) => {
        return one === Math.max(...Object.values<number>(top[context.length + i]));
      });
    };
    expect(await flags(tokens)).toEqual(tokens.map(() => true));
    expect((await flags([...tokens.slice(0, 4), tokens[0]!]))[4]).toBe(false);
  });

  test("echo what follows, too, streamed as well, and a prompt of one token", async () => {
    const body = { prompt: HEAD, max_tokens: 3, echo: true, logprobs: 1 };
    const { choices } = await complete(body);
    expect(choices[0].text).toBe(HEAD + (await model.complete(HEAD, { maxTokens: 3 })).text);
    const response = await fetch(`${server.url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...body, temperature: 0, stream: true }),
    });
    const events = (await response.text()).split("\n\n").filter((event) => event !== "");
    expect(events.pop()).toBe("data: [DONE]");
    const parts = events.map((event) => (JSON.parse(event.slice(6)) as Json).choices[0]);
    expect(parts.map(({ text }: Json) => text).join("")).toBe(choices[0].text);
    const offsets = parts.flatMap(({ logprobs }: Json) => logprobs.text_offset);
    expect(offsets).toEqual(choices[0].logprobs.text_offset);
    const umlaut = model.tokenize("ü").slice(0, 1); // the first of its two bytes
    const bytes = { prompt: umlaut, echo: true, logprobs: 0 };
    const [byte] = (await complete({ ...bytes, max_tokens: 0 })).choices;
    expect([byte.text, byte.logprobs.tokens]).toEqual(["\ufffd", ["bytes:\\xc3"]]);
    const completed = { ...bytes, max_tokens: 1, logit_bias: { [model.tokenize("ü")[1]!]: 100 } };
    expect((await complete(completed)).choices[0].text).toBe("ü");
    const single = await complete({ prompt: [[300], [300, 301]], max_tokens: 1, echo: true, logprobs: 1 });
    expect(single.choices.map(({ logprobs }: Json) => logprobs.token_logprobs.length)).toEqual([2, 3]);
  });
});

const body = (i: number) => ({ prompt: HEAD.slice(i), max_tokens: 14 + i, temperature: 0, logprobs: 3 });
const answerOf = async (url: string, i: number) => (await post(`${url}/v1/completions`, body(i))).json.choices;
const noise = (url: string, i: number) =>
  post(`${url}/v1/completions`, { prompt: HEAD.repeat(4).slice(i), max_tokens: 30, temperature: 1.3, seed: i });

describe("a text does not depend on who else is served", () => {
  test("bit for bit with --deterministic, with all its log-probabilities", async () => {
    const alone: unknown[] = [];
    for (let i = 0; i < 4; i++) alone.push(await answerOf(server.url, i));
    const together = Promise.all([0, 1, 2, 3].map((i) => answerOf(server.url, i)));
    const others = Promise.all([0, 1, 2].map((i) => noise(server.url, i)));
    expect(await together).toEqual(alone);
    await others;
    expect(await metric(server.url, "kedge_rows_running")).toBe(0);
  });
});

describe("tokens", () => {
  test("of texts and chats, and back", async () => {
    const { json } = await post(`${server.url}/tokenize`, { prompt: HEAD, return_token_strs: true });
    const tokens = model.tokenize(HEAD);
    expect(json).toMatchObject({ count: tokens.length, max_model_len: 1024, tokens });
    expect(json.token_strs[0]).toBe(model.tokenizer!.idToToken(tokens[0]!));
    expect((await post(`${server.url}/detokenize`, { tokens })).json).toEqual({ prompt: HEAD });
  });

  test("of the tokenizer: what clients ask before they send tokens", async () => {
    const info = (await (await fetch(`${server.url}/tokenizer_info?model=kedge-js-5m`)).json()) as Json;
    expect(info).toMatchObject({ vocab_size: 1024, eos_token: "<|endoftext|>", eos_token_id: 0, chat_template: null });
  });
});

const cosine = (one: readonly number[], other: readonly number[]) =>
  one.reduce((sum, value, i) => sum + value * other[i]!, 0) / (Math.hypot(...one) * Math.hypot(...other));

test("embeddings are the mean of the final states, or the last one, of length 1", async () => {
  const states = (await model.forward(HEAD, { capture: ["ln_final.hook_out"] })).captured["ln_final.hook_out"]!;
  const embed = async (pooling?: string) =>
    (await post(`${server.url}/v1/embeddings`, { input: HEAD, pooling })).json.data[0].embedding as number[];
  const last = Array.from({ length: 256 }, (_, i) => states.at(-1, i));
  const mean = last.map(
    (_, i) =>
      Array.from({ length: states.shape[0]! }, (__, row) => states.at(row, i)).reduce((a, b) => a + b) /
      states.shape[0]!,
  );
  expect(cosine(await embed(), mean)).toBeCloseTo(1, 6);
  expect(cosine(await embed("last"), last)).toBeCloseTo(1, 6);
  expect(cosine(await embed("last"), mean)).toBeLessThan(0.999);
});

test("metrics are Prometheus' text, and health says ok", async () => {
  const response = await fetch(`${server.url}/metrics`);
  expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  expect(text).toMatch(/^# TYPE kedge_first_token_seconds histogram$/m);
  expect(text).toMatch(/^kedge_requests_total\{endpoint="completions",model="kedge-js-5m",status="200"\} \d+$/m);
  expect(text).toMatch(/^kedge_cache_reserved_bytes\{model="kedge-js-5m"\} 0$/m);
  expect(await (await fetch(`${server.url}/health`)).json()).toEqual({ status: "ok" });
});

test("one call at a time where parallel_tool_calls is false, and template variables", async () => {
  writeScriptedModel(join(folder, "scripted"));
  const { url } = await serving([join(folder, "scripted")]);
  const parameters = { type: "object" };
  const tools = [{ type: "function", function: { name: "weather", parameters } }];
  const messages = [{ role: "user", content: "weather?" }];
  const { json } = await post(`${url}/v1/chat/completions`, { messages, tools, parallel_tool_calls: false });
  expect(json.choices[0]).toMatchObject({ finish_reason: "tool_calls", message: { content: "I will look." } });
  expect(json.usage.completion_tokens).toBe(7); // ended by the call, not by the model's end token
  const varied = await post(`${url}/v1/chat/completions`, { messages, chat_template_kwargs: { tools } });
  expect(varied.json.choices[0].message.content).toContain("<tool_call>");
});

test("kedge --help has the verb, and kedge serve --help its options", async () => {
  expect((await kedge(["--help"])).stdout).toMatch(/^ {2}serve MODEL .*answer requests over HTTP/m);
  const { stdout } = await kedge(["serve", "--help"]);
  for (const option of ["--port", "--host", "--api-key", "--cors", "--queue", "--cache-memory", "--timeout"]) {
    expect(stdout).toContain(option);
  }
});

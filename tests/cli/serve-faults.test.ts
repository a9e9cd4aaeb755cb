// kedge serve: wrong requests, hostile and slow clients, limits, and how it ends. Each gets one clear answer, and nothing is left behind.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kedge } from "../support/command.ts";
import { writeScriptedModel } from "../support/scripted-model.ts";
import { metric, post, refusalOf, serving, until, type Serving } from "../support/serving.ts";

const folder = mkdtempSync(join(tmpdir(), "kedge-serve-"));
const scripted = join(folder, "scripted");
let server: Serving;

beforeAll(async () => {
  writeScriptedModel(scripted);
  server = await serving([scripted]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hi = [{ role: "user", content: "hi" }];
const forever = [{ role: "user", content: "forever" }];
const isIdle = async (url: string) =>
  (await metric(url, "kedge_rows_running")) === 0 && (await metric(url, "kedge_cache_live_bytes")) === 0;

describe("wrong requests", () => {
  test.each<[path: string, body: unknown, status: number, message: RegExp]>([
    ["chat/completions", "{", 400, /^the body is no JSON: /],
    ["chat/completions", "[]", 400, /^the body is a list of 0: wanted an object$/],
    ["chat/completions", {}, 400, /^messages is missing/],
    ["chat/completions", { messages: [] }, 400, /^messages is empty/],
    [
      "chat/completions",
      { messages: [{ role: "user", content: 3 }] },
      400,
      /^messages\[0\]\.content is 3: wanted a text/,
    ],
    ["chat/completions", { messages: hi, tempreture: 1 }, 400, /^there is no field "tempreture": kedge refuses/],
    ["chat/completions", { messages: hi, temperature: 3 }, 400, /^temperature is 3: wanted a number from 0 to 2$/],
    ["chat/completions", { messages: hi, top_p: 0 }, 400, /^top_p is 0: wanted a number above 0/],
    ["chat/completions", { messages: hi, n: 1.5 }, 400, /^n is 1\.5: wanted a whole number from 1 to 128$/],
    [
      "chat/completions",
      { messages: hi, n: 100 },
      400,
      /decodes 100 texts at a time, but this server has room for 32$/,
    ],
    ["chat/completions", { messages: hi, stop: [""] }, 400, /^stop has an empty text/],
    ["chat/completions", { messages: hi, logit_bias: { hello: 1 } }, 400, /^logit_bias has "hello"/],
    ["chat/completions", { messages: hi, logit_bias: { 99999: 1 } }, 400, /^logit_bias has token 99999, but/],
    ["chat/completions", { messages: hi, top_logprobs: 2 }, 400, /^top_logprobs wants logprobs: true$/],
    [
      "chat/completions",
      { messages: hi, response_format: { type: "json_schema" } },
      400,
      /^response_format is of type/,
    ],
    ["chat/completions", { messages: hi, tool_choice: "required" }, 400, /^tool_choice is "required": .* cannot force/],
    ["chat/completions", { messages: hi, functions: [] }, 400, /^functions: this is the old form/],
    ["chat/completions", { messages: hi, reasoning_effort: "low" }, 400, /^reasoning_effort: /],
    ["chat/completions", { messages: hi, cache: "everything" }, 400, /^cache: "everything" is no cache policy: write/],
    ["chat/completions", { messages: hi, strength: 2 }, 400, /^strength has nothing to hold on to/],
    ["chat/completions", { messages: hi, anchors: ["absent"], stream: true }, 400, /"absent" does not occur/],
    ["chat/completions", { messages: hi, max_tokens: 1, max_completion_tokens: 2 }, 400, /^max_tokens is 1 and/],
    [
      "chat/completions",
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:" } }] }] },
      400,
      /^messages\[0\]\.content\[0\] is of type "image_url": kedge runs language models/,
    ],
    ["completions", { prompt: "" }, 400, /^prompt is empty/],
    ["completions", { prompt: [[1, 2], [70000]] }, 400, /^prompt\[1\] has token 70000, but scripted has/],
    ["completions", { prompt: "a", max_tokens: 0 }, 400, /^max_tokens is 0: without echo/],
    ["completions", { prompt: "a", best_of: 3 }, 400, /^best_of is 3 and n is 1/],
    ["completions", { prompt: "a", suffix: "b" }, 400, /^suffix is "b"/],
    [
      "completions",
      { prompt: Array.from({ length: 5000 }, () => 1) },
      400,
      /^prompt has \d+ tokens, but the context of/,
    ],
    ["embeddings", { input: "a", dimensions: 8 }, 400, /^dimensions is 8: the embeddings of scripted have 64$/],
    ["embeddings", { input: [] }, 400, /^input is an empty list/],
    [
      "chat/completions",
      { model: "gpt-5", messages: hi },
      404,
      /^there is no model "gpt-5": this server has scripted$/,
    ],
    ["assistants", {}, 404, /^there is no POST \/v1\/assistants$/],
  ])("%s %j", async (path, body, status, message) => {
    const refused = await refusalOf(`${server.url}/v1/${path}`, body);
    expect(refused.status).toBe(status);
    expect(refused.message).toMatch(message);
  });

  test("leave nothing behind", async () => {
    expect(await isIdle(server.url)).toBe(true);
    expect(server.messages()).not.toContain("Error");
  });

  test("a body that is not declared as JSON, as a page without permission may send it", async () => {
    const { status, message } = await refusalOf(
      `${server.url}/v1/chat/completions`,
      { messages: hi },
      { "content-type": "text/plain" },
    );
    expect([status, message]).toEqual([415, 'content-type is "text/plain": wanted application/json']);
  });

  test("a name that leads to this machine from elsewhere", async () => {
    const status = await new Promise((resolve) => {
      request(`${server.url}/v1/models`, { headers: { host: "evil.example" } }, (answer) =>
        resolve(answer.statusCode),
      ).end();
    });
    expect(status).toBe(403);
  });
});

/** Sends 100 MB and resolves with the status and body of the answer. */
const send = (headers: Record<string, string>) =>
  new Promise<[number, string]>((resolve, reject) => {
    const sent = request(`${server.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
    });
    const chunk = Buffer.alloc(1 << 20, 32);
    let left = 100;
    let isAnswered = false;
    const write = () => {
      while (left-- > 0) if (!sent.write(chunk)) return void sent.once("drain", write);
      sent.end();
    };
    sent.on("response", (answer) => {
      isAnswered = true;
      let text = "";
      answer.on("data", (data: Buffer) => (text += data.toString()));
      answer.on("end", () => resolve([answer.statusCode!, text]));
    });
    sent.on("error", (error) => (isAnswered ? undefined : reject(error)));
    write();
  });

describe("bodies of 100 MB", () => {
  test("are refused by their declared length, and by their size", async () => {
    const resident = process.memoryUsage().rss;
    for (const headers of [{ "content-length": String(100 << 20) }, { "transfer-encoding": "chunked" }]) {
      const [status, text] = await send(headers);
      expect(status).toBe(413);
      expect(text).toMatch(
        /"the body has (104857600|more than 8000000) bytes: this server reads 8000000 \(--body-limit\)"/,
      );
    }
    expect(process.memoryUsage().rss - resident).toBeLessThan(80e6);
    expect((await post(`${server.url}/v1/chat/completions`, { messages: hi })).status).toBe(200);
  });
});

describe("limits", () => {
  test("rows and a queue: what waits is bounded, others get 429 and when to come again", async () => {
    const { url } = await serving([scripted, "--rows", "1", "--queue", "1"]);
    const abort = new AbortController();
    const long = fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: forever, max_tokens: 4000 }),
      signal: abort.signal,
    }).catch(() => undefined);
    await until(async () => (await metric(url, "kedge_rows_running")) === 1);
    const waiting = post(`${url}/v1/chat/completions`, { messages: hi });
    await until(async () => (await metric(url, "kedge_requests_waiting")) === 1);
    const third = await post(`${url}/v1/chat/completions`, { messages: hi });
    expect(third.status).toBe(429);
    expect(Number(third.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(third.json.error).toMatchObject({ type: "rate_limit_error", code: "queue_full" });
    abort.abort();
    await long;
    expect((await waiting).status).toBe(200);
    await until(() => isIdle(url));
  });

  test("memory, time and tokens of an answer", async () => {
    const { url } = await serving([
      scripted,
      "--context",
      "100",
      "--cache-memory",
      "1B",
      "--timeout",
      "0.4",
      "-n",
      "3",
    ]);
    const many = await refusalOf(`${url}/v1/chat/completions`, { messages: hi, n: 4, max_tokens: 90 });
    expect([many.status, many.message]).toEqual([
      400,
      expect.stringMatching(/can take \d+ bytes, but this server has \d+: ask/),
    ]);
    const { json } = await post(`${url}/v1/chat/completions`, { messages: hi });
    expect(json.choices[0]).toMatchObject({ finish_reason: "length", message: { content: "Hello, wide wörld" } });
    const slow = await serving([scripted, "--timeout", "0.15"]);
    const late = await refusalOf(`${slow.url}/v1/chat/completions`, {
      messages: forever,
      max_tokens: 4000,
      logprobs: true,
      top_logprobs: 20,
    });
    expect([late.status, late.code]).toEqual([504, "timeout"]);
    await until(() => isIdle(slow.url));
  });

  test("a client that does not read holds up nobody but itself, and is given up", async () => {
    const { url } = await serving([scripted, "--patience", "0.5"]);
    const messages = [{ role: "user", content: "much" }]; // 60 kB a token
    const body = JSON.stringify({ messages, max_tokens: 4000, stream: true });
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.on("error", () => undefined);
    socket.pause();
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await until(async () => (await metric(url, "kedge_generated_tokens_total")) > 20);
    expect((await post(`${url}/v1/chat/completions`, { messages: hi })).status).toBe(200);
    await until(() => isIdle(url));
    expect(await metric(url, "kedge_generated_tokens_total")).toBeLessThan(1000);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('status="499"');
    socket.destroy();
  });
});

describe("access", () => {
  test("needs the key where there is one", async () => {
    const { url } = await serving([scripted, "--api-key", "sesame"]);
    expect(await refusalOf(`${url}/v1/completions`, { prompt: "a" })).toMatchObject({
      status: 401,
      code: "invalid_api_key",
    });
    const wrong = { authorization: "Bearer sesam" };
    expect(await refusalOf(`${url}/v1/completions`, { prompt: "a" }, wrong)).toMatchObject({ status: 401 });
    const right = { authorization: "Bearer sesame" };
    expect((await post(`${url}/v1/completions`, { prompt: "a", max_tokens: 1 }, right)).status).toBe(200);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  test("from pages only where it was allowed", async () => {
    const headers = { origin: "https://a.example" };
    const closed = await fetch(`${server.url}/v1/models`, { headers });
    expect(closed.headers.get("access-control-allow-origin")).toBeNull();
    const { url } = await serving([scripted, "--cors", "https://a.example"]);
    const open = await fetch(`${url}/v1/models`, { headers });
    expect(open.headers.get("access-control-allow-origin")).toBe("https://a.example");
    const other = await fetch(`${url}/v1/models`, { headers: { origin: "https://b.example" } });
    expect(other.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("the server", () => {
  test("answers on when its model's folder is deleted", async () => {
    const gone = join(folder, "gone");
    writeScriptedModel(gone);
    const { url } = await serving([gone]);
    rmSync(gone, { recursive: true });
    const { json } = await post(`${url}/v1/chat/completions`, { messages: hi });
    expect(json.choices[0].message.content).toBe("Hello, wide wörld :-)");
  });

  test("says in one sentence that its port is taken, that a name is there twice, and what is no size", async () => {
    const { port } = new URL(server.url);
    expect(await kedge(["serve", scripted, "--port", port, "--device", "reference"])).toEqual({
      code: 1,
      stdout: "",
      stderr: `kedge: 127.0.0.1:${port}: another program listens there already: choose another with --port\n`,
    });
    const twice = await kedge(["serve", scripted, scripted, "--port", "0", "--device", "reference"]);
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining('two models are called "scripted"')]);
    const size = await kedge(["serve", scripted, "--body-limit", "much"]);
    expect([size.code, size.stderr]).toEqual([2, expect.stringContaining('--body-limit is "much": wanted bytes')]);
  });

  test("ends when what it answers is finished, and refuses what comes meanwhile", async () => {
    const ending = await serving([scripted]);
    const streamed = await fetch(`${ending.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: forever, max_tokens: 300, stream: true }),
    });
    const ended = ending.stop();
    await expect(fetch(`${ending.url}/health`)).rejects.toThrow("fetch failed");
    const text = await streamed.text();
    expect(text.match(/la /g)).toHaveLength(300);
    expect(text).toMatch(/"finish_reason":"length".*\n\ndata: \[DONE\]\n\n$/);
    expect(await ended).toBe(130);
  });

  test("ends what takes longer than --drain", async () => {
    const ending = await serving([scripted, "--drain", "0.1"]);
    const streamed = await fetch(`${ending.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: forever, max_tokens: 4000, logprobs: true, top_logprobs: 20, stream: true }),
    });
    const ended = ending.stop();
    const events = (await streamed.text()).trimEnd().split("\n\n");
    expect(events.at(-1)).toContain('"error":{"message":"the server is shutting down"');
    expect(await ended).toBe(130);
  });

  test("ends by SIGTERM with exit code 143, as a process", async () => {
    const child = spawn(process.execPath, ["dist/cli.js", "serve", scripted, "--port", "0", "--device", "reference"]);
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("serving scripted")) child.kill("SIGTERM");
    });
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(143);
  });
});

// Conversations: each turn answers as if the whole conversation were put to the model at once, but reads only what is new.

import { collect, loadModel, policies, type ChatSession, type Device, type Model } from "kedge";
import { filesFolder } from "kedge/loaders";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testDevice } from "../support/devices.ts";

const SHIPPED = "models/kedge-js-5m";
const TEMPLATE =
  "{% for message in messages %}// {{ message.role }}: {{ message.content }}\n{% endfor %}{% if add_generation_prompt %}// assistant: {% endif %}";
const few = { maxTokens: 12, ignoreEndTokens: true } as const;

let device: Device;
let model: Model;
beforeAll(async () => {
  device = await testDevice("wasm");
  const files = new Map<string, Uint8Array>();
  for (const name of ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]) {
    files.set(name, await readFile(`${SHIPPED}/${name}`));
  }
  const config = JSON.parse(files.get("tokenizer_config.json")!.toString()) as object;
  files.set("tokenizer_config.json", Buffer.from(JSON.stringify({ ...config, chat_template: TEMPLATE })));
  model = await loadModel(filesFolder(files), { device });
});
afterAll(async () => {
  await model.dispose();
  await device.dispose();
});

/** The answer when the whole conversation is put to the model at once. */
const whole = async (messages: readonly { role: string; content: string }[], options: object = few) =>
  (await collect(model.generate(messages, options)))[0]!.text;

describe("a conversation", () => {
  test("answers as the whole does, and keeps the keys of what it read and wrote", async () => {
    using chat = model.chat({ system: "short" });
    const { layers, kvHeads, headDim } = model.config;
    for (const said of ["keep even numbers", "and the largest", "sort them"]) {
      const messages = [...chat.messages, { role: "user", content: said }];
      const before = chat.cachedTokens;
      expect(await chat.prompt(said, few)).toBe(await whole(messages));
      const prompt = model.tokenize(messages).length;
      // The last token that was written is not fed.
      expect(chat.cachedTokens).toBe(prompt + few.maxTokens - 1);
      // Only the last token of an answer may be read again, and where its text and the template's become other tokens.
      if (before > 0) expect(chat.readTokens).toBeLessThan(prompt - before + 4);
      expect(model.memory().cache.live).toBe(chat.cachedTokens * layers * 2 * kvHeads * headDim * 4);
    }
    expect(chat.messages.map(({ role }) => role).join()).toBe("system,user,assistant,user,assistant,user,assistant");
  });

  test("takes turns that are asked for at once one after the other", async () => {
    using chat = model.chat();
    const [first, second] = await Promise.all([chat.prompt("keep even numbers", few), chat.prompt("sort words", few)]);
    const one = { role: "user", content: "keep even numbers" };
    expect(first).toBe(await whole([one]));
    const messages = [one, { role: "assistant", content: first }, { role: "user", content: "sort words" }];
    expect(second).toBe(await whole(messages));
    expect(chat.messages).toEqual([...messages, { role: "assistant", content: second }]);
  });

  test("answers beside other conversations, anchored and not, what it answers alone", async () => {
    const said = ["keep even numbers", "and the largest", "return <anchor>sorted words</anchor>", "sort them"];
    const turns = [few, few, { ...few, anchoring: { strength: 3 } }, few];
    const alone: string[] = [];
    for (const [i, words] of said.entries()) {
      using chat = model.chat();
      alone.push(await chat.prompt(words, turns[i]!));
    }
    const chats = said.map(() => model.chat());
    const forks = chats.map((chat) => chat.fork());
    for (const own of [chats, forks]) {
      expect(await Promise.all(own.map((chat, i) => chat.prompt(said[i]!, turns[i]!)))).toEqual(alone);
    }
    for (const chat of [...chats, ...forks]) chat.dispose();
    expect(model.memory().cache.live).toBe(0);
  });

  test("forks in the middle of a turn with what was said before it", async () => {
    using chat = model.chat();
    await chat.prompt("keep even numbers", few);
    const before = [...chat.messages];
    let fork: ChatSession | undefined;
    for await (const _ of chat.stream("sort words", few)) fork ??= chat.fork();
    expect(await fork!.prompt("and odd", few)).toBe(await whole([...before, { role: "user", content: "and odd" }]));
    fork!.dispose();
  });

  test("keeps what a stopped answer wrote, and takes back a turn of which nothing was written", async () => {
    using chat = model.chat();
    let text = "";
    for await (const piece of chat.stream("keep even numbers", few)) {
      text += piece.text;
      if (text.length > 3) break;
    }
    expect(chat.messages.at(-1)).toEqual({ role: "assistant", content: text });
    const abort = new AbortController();
    let more = "";
    const stopped = (async () => {
      for await (const piece of chat.stream("go on", { ...few, signal: abort.signal })) {
        more += piece.text;
        if (more.length > 3) abort.abort(new Error("enough"));
      }
    })();
    await expect(stopped).rejects.toThrow("enough");
    expect(chat.messages.at(-1)).toEqual({ role: "assistant", content: more });
    const early = new AbortController();
    early.abort(new Error("never mind"));
    await expect(chat.prompt("more", { signal: early.signal })).rejects.toThrow("never mind");
    expect(chat.messages).toHaveLength(4);
    const messages = [...chat.messages, { role: "user", content: "now sort" }];
    expect(await chat.prompt("now sort", few)).toBe(await whole(messages));
  });

  test("takes a turn back that fails, and answers the next as if it had not been", async () => {
    using chat = model.chat();
    await chat.prompt("keep even numbers", few);
    const before = chat.messages;
    const failing = chat.prompt("go on", {
      ...few,
      logitsHook: () => {
        throw new Error("a hook failed");
      },
    });
    await expect(failing).rejects.toThrow("a hook failed");
    expect(chat.messages).toEqual(before);
    const messages = [...before, { role: "user", content: "sort" }];
    expect(await chat.prompt("sort", few)).toBe(await whole(messages));
  });

  test("begins with what was said before, and forks", async () => {
    const history = [
      { role: "user", content: "keep even numbers" },
      { role: "assistant", content: "return nums" },
    ];
    using chat = model.chat({ messages: history });
    const one = await chat.prompt("sort", few);
    expect(one).toBe(await whole([...history, { role: "user", content: "sort" }]));
    using fork = chat.fork();
    const [a, b] = [await chat.prompt("more", few), await fork.prompt("less", few)];
    expect(a).toBe(await whole([...fork.messages.slice(0, 4), { role: "user", content: "more" }]));
    expect(b).toBe(await whole([...chat.messages.slice(0, 4), { role: "user", content: "less" }]));
    const { layers, kvHeads, headDim } = model.config;
    const bytes = (chat.cachedTokens + fork.cachedTokens) * layers * 2 * kvHeads * headDim * 4;
    expect(model.memory().cache.live).toBeLessThan(0.8 * bytes);
    expect(() => model.chat({ system: "x", messages: [{ role: "system", content: "y" }] })).toThrow("given twice");
  });

  test("meets a full context by its rule", async () => {
    const words = "sum the numbers of the list and keep the largest ";
    const long = words.repeat(Math.ceil(600 / model.tokenize(words).length));
    using refusing = model.chat({ system: "short" });
    await refusing.prompt(long, few);
    await expect(refusing.prompt(long, few)).rejects.toThrow(
      /the conversation has \d+ tokens and leaves no room in a context of 1024: begin a new one/,
    );
    expect(refusing.messages).toHaveLength(3);
    using dropping = model.chat({ system: "short", whenFull: "drop-oldest" });
    await dropping.prompt(long, few);
    const system = { role: "system", content: "short" };
    expect(await dropping.prompt(long, few)).toBe(await whole([system, { role: "user", content: long }]));
    expect(dropping.messages).toHaveLength(5);
    await expect(dropping.prompt(long.repeat(3), few)).rejects.toThrow("say less");
  });

  test("answers likewise whatever keys its policy keeps", async () => {
    for (const cache of [policies.full(), policies.window({ budget: 400 })]) {
      using chat = model.chat({ cache });
      for (const said of ["keep even numbers", "sort"]) {
        const messages = [...chat.messages, { role: "user", content: said }];
        expect(await chat.prompt(said, few), cache.name).toBe(await whole(messages));
      }
    }
    using small = model.chat({ cache: policies.sinks({ budget: 20, first: 2 }) });
    await small.prompt("keep even numbers", few);
    await small.prompt("sort", few);
    const { layers, kvHeads, headDim } = model.config;
    expect(model.memory().cache.live).toBeLessThanOrEqual(20 * layers * 2 * kvHeads * headDim * 4);
  });

  test("holds anchors of a turn, and goes on plainly", async () => {
    using chat = model.chat();
    await chat.prompt("keep even numbers", few);
    const before = [...chat.messages];
    const anchored = { ...few, anchoring: { strength: 3 } };
    const [held] = await collect(
      model.generate([...before, { role: "user", content: "return <anchor>sorted words</anchor>" }], anchored),
    );
    expect(await chat.prompt("return <anchor>sorted words</anchor>", anchored)).toBe(held!.text);
    expect(chat.messages.at(-2)).toEqual({ role: "user", content: "return sorted words" });
    const messages = [...chat.messages, { role: "user", content: "sort" }];
    expect(await chat.prompt("sort", few)).toBe(await whole(messages));
  });

  test("refuses turns after it was disposed of, and leaves no keys", async () => {
    const chat = model.chat();
    await chat.prompt("keep even numbers", few);
    chat.dispose();
    chat.dispose();
    expect(model.memory().cache.live).toBe(0);
    await expect(chat.prompt("and odd", few)).rejects.toThrow("this conversation was disposed of");
    expect(() => chat.fork()).toThrow("this conversation was disposed of");
    const other = model.chat();
    const reading = (async () => {
      for await (const _ of other.stream("keep", few)) other.dispose();
    })();
    await expect(reading).rejects.toThrow("this conversation was disposed of");
    expect(model.memory().cache.live).toBe(0);
  });
});

// Functions of the caller's that call the model they run in, iterators that nobody reads to the end, and models that are disposed of:
// none of it waits for good, and none of it keeps memory.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { collect, loadModel, type Device, type Model } from "kedge";
import { filesFolder } from "kedge/loaders";
import { readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { testDevice } from "../support/devices.ts";
import { randomTokens, tinyFolder } from "../support/tiny-model.ts";

const SHIPPED = "models/kedge-js-5m";
const few = { maxTokens: 4, ignoreEndTokens: true } as const;
const prompt = randomTokens(6);
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

let device: Device;
let model: Model;
beforeAll(async () => {
  device = await testDevice("wasm");
  model = await loadModel(tinyFolder(), { device });
});
afterAll(async () => {
  await model.dispose();
  await device.dispose();
});
afterEach(() => void vi.useRealTimers());

describe("a hook", () => {
  const tap = "blocks.1.hook_resid_post";
  const refusal = `the hook on ${tap} calls the model that it runs in, which waits for the hook on ${tap}`;

  test.each<[what: string, call: () => Promise<unknown>]>([
    ["forward", () => model.forward(prompt)],
    ["forward with captures", () => model.forward(prompt, { capture: [tap] })],
    ["score", () => model.score(prompt)],
    ["complete", () => model.complete(prompt, few)],
    ["generate", () => collect(model.generate(prompt, few))],
    ["generateBatch", () => collect(model.generateBatch([prompt, prompt], few))],
    ["contrasted generation", () => model.complete(prompt, { ...few, contrast: { method: "guidance", scale: 1.5 } })],
  ])("that calls %s of its own model is refused by name", async (_, call) => {
    const hook = async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await call();
    };
    await expect(model.forward(prompt, { hooks: { [tap]: hook } })).rejects.toThrow(refusal);
    expect((await model.complete(prompt, few)).tokens.length).toBe(4);
  });

  test("lets other callers wait, and may call another model", async () => {
    const other = await loadModel(tinyFolder(), { device });
    const want = (await model.score(prompt)).perplexity;
    let outside: Promise<{ perplexity: number }> | undefined;
    let inside = 0;
    const hook = async () => {
      inside = (await other.score(prompt)).perplexity;
    };
    const pass = model.forward(prompt, { hooks: { [tap]: hook } });
    outside = model.score(prompt);
    await pass;
    expect(inside).toBe(want);
    expect((await outside).perplexity).toBe(want);
    await other.dispose();
  });

  test("on logits may call its own model, which waits for nothing then", async () => {
    const calls: number[] = [];
    const logitsHook = async () => void calls.push((await model.score(prompt)).perplexity);
    await model.complete(prompt, { ...few, logitsHook });
    expect(calls).toEqual(Array.from({ length: 4 }, () => calls[0]));
  });
});

describe("a conversation", () => {
  test("refuses a turn that its own turn waits for: of a hook at once, of a reader after 10 s", async () => {
    const files = new Map<string, Uint8Array>();
    for (const name of ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]) {
      files.set(name, await readFile(`${SHIPPED}/${name}`));
    }
    const settings = {
      ...(JSON.parse(files.get("tokenizer_config.json")!.toString()) as object),
      chat_template: "{{ messages }}",
    };
    files.set("tokenizer_config.json", Buffer.from(JSON.stringify(settings)));
    const talker = await loadModel(filesFolder(files), { device });
    using chat = talker.chat();
    const logitsHook = async () => void (await chat.prompt("inner", few));
    await expect(chat.prompt("outer", { ...few, logitsHook })).rejects.toThrow(
      "the logits hook calls the conversation that it runs in",
    );
    const read = async () => {
      for await (const piece of chat.stream("outer", few)) {
        expect(piece.tokens.length).toBeGreaterThan(0);
        vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
        const inner = chat.prompt("inner", few);
        inner.catch(() => undefined);
        await vi.advanceTimersByTimeAsync(10_001);
        vi.useRealTimers();
        await inner;
      }
    };
    await expect(read()).rejects.toThrow("the conversation has waited 10 s for the reader of the answer before");
    expect((await chat.prompt("after", few)).length).toBeGreaterThan(0);
    await talker.dispose();
  });
});

describe("an iterator", () => {
  const endless = { maxTokens: 100, ignoreEndTokens: true } as const;
  let writer: Model;
  const live = () => writer.memory().cache.live;
  beforeAll(async () => {
    writer = await loadModel(SHIPPED, { device });
  });
  afterAll(() => writer.dispose());

  test("over a text of a megabyte is aborted while the text is cut into tokens, and blocks nobody", async () => {
    const text = "let total = 0;\n".repeat(70_000);
    const abort = new AbortController();
    let timers = 0;
    const timer = setInterval(() => {
      if (++timers === 2) abort.abort(new Error("enough"));
    }, 1);
    await expect(writer.complete(text, { ...few, signal: abort.signal })).rejects.toThrow("enough");
    await expect(writer.score(text, { signal: abort.signal })).rejects.toThrow("enough");
    await expect(writer.forward(text, { signal: abort.signal })).rejects.toThrow("enough");
    clearInterval(timer);
    expect(timers).toBeGreaterThan(1);
  });

  test("that never began holds nothing", async () => {
    writer.generate(prompt, endless);
    expect(live()).toBe(0);
    await writer.generate(prompt, endless).return();
    expect(live()).toBe(0);
  });

  test("that is left by break, return() or an error of its reader frees its keys", async () => {
    for await (const piece of writer.generate(prompt, endless)) if (piece) break;
    expect(live()).toBe(0);
    const failing = async () => {
      for await (const piece of writer.generate(prompt, endless)) throw new Error(`reader ${piece.promptIndex}`);
    };
    await expect(failing()).rejects.toThrow("reader 0");
    expect(live()).toBe(0);
    const pieces = writer.generate(prompt, endless);
    await pieces.next();
    const pending = pieces.next();
    await pieces.return();
    expect((await pending).done).toBe(false);
    expect(live()).toBe(0);
  });

  test("that is dropped without a word frees its keys when it is collected", async () => {
    const begin = async () => void (await writer.generate(prompt, endless).next());
    await begin();
    expect(live()).toBeGreaterThan(0);
    for (let i = 0; i < 50 && live() > 0; i++) {
      collectGarbage();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(live()).toBe(0);
    expect((await writer.complete(prompt, few)).tokens.length).toBe(4);
  });
});

describe("a model that was disposed of", () => {
  test.each(["reference", "wasm"] as const)("refuses on %s, whoever owns the device", async (name) => {
    for (const own of [undefined, await testDevice(name)]) {
      const gone = await loadModel(SHIPPED, { device: own ?? name });
      const begun = gone.generate(prompt, { maxTokens: 50, ignoreEndTokens: true, logProbs: 0 });
      await begun.next();
      await gone.dispose();
      const calls = [
        () => gone.forward(prompt),
        () => gone.score(prompt),
        () => gone.complete(prompt, few),
        () => collect(gone.generateBatch([prompt], few)),
        () => begun.next(),
      ];
      for (const call of calls) await expect(call()).rejects.toThrow(/disposed of/);
      await gone.dispose();
      await own?.dispose();
    }
  });
});

// What callers give is checked where it comes in: names that no option has, numbers out of range, policies that make no sense.

import { loadModel, policies, quantizeModel, type CachePolicy, type LoadOptions, type Model } from "kedge";
import { tuneStrength } from "kedge/anchoring";
import { studyAttention } from "kedge/attention";
import { openDevice } from "kedge/devices";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomTokens, tinyFolder } from "../support/tiny-model.ts";

const PROMPT = randomTokens(5);

const first = async (pieces: AsyncIterator<unknown>) => void (await pieces.next());

/** Options as a caller in JavaScript may write them. */
const anything = (options: object): never => options as never;

describe("options of a model", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(tinyFolder(), { device: "reference" });
  });
  afterAll(() => model.dispose());

  test.each<[string, () => Promise<unknown>, string]>([
    [
      "generate",
      () => first(model.generate(PROMPT, anything({ tempreture: 1 }))),
      'generate: there is no option "tempreture": did you mean "temperature"?',
    ],
    [
      "complete",
      () => model.complete(PROMPT, anything({ max_tokens: 3 })),
      'complete: there is no option "max_tokens"',
    ],
    [
      "anchoring",
      () => first(model.generate(PROMPT, { anchoring: anything({ spans: [] }) })),
      'anchoring: there is no option "spans": it takes strength, anchors',
    ],
    ["score", () => model.score(PROMPT, anything({ cach: policies.full() })), 'score: there is no option "cach"'],
    ["forward", () => model.forward(PROMPT, anything({ captures: [] })), 'did you mean "capture"?'],
    ["studyAttention", () => studyAttention(model, PROMPT, anything({ prompt: 3 })), 'there is no option "prompt"'],
    ["tuneKernels", () => model.tuneKernels(anything({ quick: true })), 'tuneKernels: there is no option "quick"'],
    ["tuneStrength", () => tuneStrength(anything({ tasks: 2, scores: 1 })), 'did you mean "score"?'],
    ["quantizeModel", () => quantizeModel(tinyFolder(), "x", anything({ formats: "int8" })), 'did you mean "format"?'],
    ["openDevice", () => openDevice("reference", anything({ thread: 1 })), 'did you mean "threads"?'],
    ["loadModel", () => loadModel(tinyFolder(), anything({ devcie: "wasm" })), 'did you mean "device"?'],
    [
      "a policy",
      () => model.score(PROMPT, { cache: { name: "own" } as CachePolicy }),
      'the policy "own" has neither rule nor keep',
    ],
    [
      "a policy as text",
      () => model.complete(PROMPT, anything({ cache: "full" })),
      'cache is "full": it must be a policy',
    ],
  ])("%s refuses a name that there is not", async (_, call, message) => {
    await expect(call()).rejects.toThrow(RangeError);
    await expect(call()).rejects.toThrow(message);
  });

  test("a stop rule that gives a promise is refused, which would end the text at its first token", async () => {
    const stopWhen = anything(() => Promise.resolve(false));
    await expect(model.complete(PROMPT, { stopWhen })).rejects.toThrow("stopWhen returned a promise");
    const { tokens } = await model.complete(PROMPT, { stopWhen: () => false, maxTokens: 3, ignoreEndTokens: true });
    expect(tokens).toHaveLength(3);
    expect(model.memory().cache.live).toBe(0);
  });
});

describe("numbers of loadModel and openDevice", () => {
  const numbers = ["contextLength", "maxCachedTokens", "chunkRows", "threads"] as const;
  const wrong = [0, -1, 1.5, NaN, Infinity];
  test.each(numbers.flatMap((name) => wrong.map((value) => [name, value] as const)))("%s %d", async (name, value) => {
    const options: LoadOptions = { device: "reference", [name]: value };
    const message = `loadModel: ${name} must be a whole number of at least 1; it is ${value}`;
    await expect(loadModel(tinyFolder(), options)).rejects.toThrow(message);
  });

  test("threads of a device", async () => {
    await expect(openDevice("wasm", { threads: NaN })).rejects.toThrow("openDevice: threads must be a whole number");
  });
});

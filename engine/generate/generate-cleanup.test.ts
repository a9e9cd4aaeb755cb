// That a run leaves nothing behind, however it ends, and refuses at once what cannot work.

import { describe, expect, it } from "vitest";
import { END, FakeDecoder, gather, generateText, hashed, says, utf8, VOCAB } from "../../tests/support/fake-decoder.ts";
import { generate, type GenerateOptions } from "./generate.ts";

const LIST = [[1, 2], [3], [4, 5, 6]];
const FOREVER = { maxTokens: Infinity, samples: 2 } satisfies GenerateOptions;

function spoil(logits: Float32Array): void {
  logits[3] = NaN;
}

function onlyLetters(logits: Float32Array): void {
  logits.fill(-Infinity, 0, 97);
  logits.fill(-Infinity, 123);
}

describe("an abort", () => {
  const reason = new Error("enough");

  it("before the start opens nothing", async () => {
    const decoder = new FakeDecoder(hashed);
    const run = generateText(decoder, utf8, LIST, { signal: AbortSignal.abort(reason) });
    await expect(run).rejects.toBe(reason);
    expect(decoder.batches).toEqual([]);
    expect(decoder.calls.open).toBe(0);
    expect(decoder.alive.size).toBe(0);
  });

  // 6 rows: pieces 3 and 6 are the third and the last of the first step.
  it.each([3, 6])("at piece %i ends the run before the next, and the decoder is not asked again", async (at) => {
    const decoder = new FakeDecoder(hashed);
    const abort = new AbortController();
    let pieces = 0;
    const run = async () => {
      const options = { ...FOREVER, logitsHook: onlyLetters, signal: abort.signal };
      for await (const piece of generate(decoder, utf8, LIST, options)) {
        expect(piece.text).not.toBe("");
        if (++pieces === at) abort.abort(reason);
      }
    };
    await expect(run()).rejects.toBe(reason);
    expect(pieces).toBe(at);
    expect(decoder.calls.logits).toBe(1);
    expect(decoder.alive.size).toBe(0);
  });

  it("during a step ends the run with that step, even if the decoder pays no attention", async () => {
    const decoder = new FakeDecoder(hashed);
    const abort = new AbortController();
    decoder.onStep = (step) => {
      if (step === 4) abort.abort(reason);
    };
    const seen: number[] = [];
    const got: number[] = [];
    const stopWhen = ({ tokens }: { tokens: readonly number[] }) => seen.push(tokens.length) < 0;
    const run = async () => {
      for await (const piece of generate(decoder, utf8, [[1]], {
        maxTokens: Infinity,
        stopWhen,
        signal: abort.signal,
      })) {
        got.push(...piece.tokens);
      }
    };
    await expect(run()).rejects.toBe(reason);
    expect(decoder.batches.length).toBe(5);
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(got.length).toBeLessThanOrEqual(4);
    expect(decoder.alive.size).toBe(0);
  });

  it.each([0, 1])("reaches the decoder through its signal, at temperature %i", async (temperature) => {
    const decoder = new FakeDecoder(hashed);
    const abort = new AbortController();
    decoder.onStep = (step, signal) => {
      if (step < 2) return;
      abort.abort(reason);
      signal?.throwIfAborted();
      throw new Error("the signal was not handed on");
    };
    const run = generateText(decoder, utf8, LIST, { ...FOREVER, temperature, signal: abort.signal });
    await expect(run).rejects.toBe(reason);
    expect(decoder.alive.size).toBe(0);
  });

  it("during a hook stops before the next row", async () => {
    const decoder = new FakeDecoder(hashed);
    const abort = new AbortController();
    let calls = 0;
    const logitsHook = async () => {
      await Promise.resolve();
      if (++calls === 4) abort.abort(reason);
    };
    await expect(generateText(decoder, utf8, LIST, { ...FOREVER, logitsHook, signal: abort.signal })).rejects.toBe(
      reason,
    );
    expect(calls).toBe(4);
    expect(decoder.alive.size).toBe(0);
  });

  it("after the last piece changes nothing", async () => {
    const abort = new AbortController();
    const run = generate(new FakeDecoder(says("a")), utf8, [[65]], { endTokens: [END], signal: abort.signal });
    const texts: string[] = [];
    for await (const piece of run) {
      texts.push(piece.text);
      if (piece.finishReason !== undefined) abort.abort(reason);
    }
    expect(texts).toEqual(["a", ""]);
  });
});

describe("the caller leaves", () => {
  it.each([1, 2, 5, 9])("with break at piece %i: all sequences are closed", async (at) => {
    const decoder = new FakeDecoder(hashed);
    let pieces = 0;
    for await (const piece of generate(decoder, utf8, LIST, FOREVER)) {
      expect(piece.text).not.toBe("");
      expect(decoder.alive.size).toBe(6);
      if (++pieces === at) break;
    }
    expect(pieces).toBe(at);
    expect(decoder.alive.size).toBe(0);
  });

  it("with return() or throw(), or without ever starting", async () => {
    const decoder = new FakeDecoder(hashed);
    const returned = generate(decoder, utf8, LIST, FOREVER);
    await returned.next();
    await returned.return();
    expect(decoder.alive.size).toBe(0);
    expect(await returned.next()).toEqual({ done: true, value: undefined });

    const thrown = generate(decoder, utf8, LIST, FOREVER);
    await thrown.next();
    await expect(thrown.throw(new Error("mine"))).rejects.toThrow("mine");
    expect(decoder.alive.size).toBe(0);

    const steps = decoder.batches.length;
    await generate(decoder, utf8, LIST, FOREVER).return();
    expect(decoder.batches.length).toBe(steps);
    expect(decoder.alive.size).toBe(0);
  });

  it("and may use the decoder between pieces", async () => {
    const decoder = new FakeDecoder(hashed);
    const options = { temperature: 1, seed: 5, maxTokens: 6 };
    const plain = await gather(generate(decoder, utf8, LIST, options));
    const pieces = [];
    for await (const piece of generate(decoder, utf8, LIST, options)) {
      pieces.push(piece);
      await generateText(decoder, utf8, [[9]], { maxTokens: 2 });
    }
    expect(pieces).toEqual(plain);
  });
});

describe("an error", () => {
  const failure = new Error("broken");
  const fail = () => {
    throw failure;
  };

  it.each<[string, GenerateOptions]>([
    ["a hook", { logitsHook: fail }],
    ["a rejecting hook", { logitsHook: () => Promise.reject(failure) }],
    ["a predicate", { stopWhen: fail }],
  ])("of %s reaches the caller and closes all sequences", async (_, options) => {
    const decoder = new FakeDecoder(hashed);
    await expect(generateText(decoder, utf8, LIST, { ...FOREVER, ...options })).rejects.toBe(failure);
    expect(decoder.alive.size).toBe(0);
  });

  it.each([0, 1, 3])("of the decoder in step %i does so, too", async (at) => {
    const decoder = new FakeDecoder(hashed);
    decoder.onStep = (step) => (step === at ? fail() : undefined);
    await expect(generateText(decoder, utf8, LIST, FOREVER)).rejects.toBe(failure);
    expect(decoder.alive.size).toBe(0);
  });

  it("of opening and forking, too", async () => {
    for (const method of ["open", "fork"] as const) {
      const decoder = new FakeDecoder(hashed);
      decoder.failAt = { method, call: 3, failure };
      await expect(generateText(decoder, utf8, LIST, FOREVER)).rejects.toBe(failure);
      expect(decoder.calls[method]).toBe(3);
      expect(decoder.alive.size).toBe(0);
    }
  });

  it("is named when the model or a hook makes NaN", async () => {
    const decoder = new FakeDecoder((history) => hashed(history).fill(NaN, 100, 101));
    for (const options of [{ logProbs: 1 }, { temperature: 1 }, { temperature: 1, topK: 4 }]) {
      await expect(generateText(decoder, utf8, LIST, options)).rejects.toThrow(
        "no token has a probability: of 257 logits that of token 100 is NaN",
      );
    }
    const sound = new FakeDecoder(hashed);
    await expect(generateText(sound, utf8, LIST, { logitsHook: spoil })).rejects.toThrow(
      "no token has a probability: of 257 logits that of token 3 is NaN",
    );
  });

  it("is named when the decoder breaks its word", async () => {
    const decoder = new FakeDecoder(hashed);
    decoder.greedy = async (feeds) => new Uint32Array(feeds.length).fill(VOCAB + 1);
    await expect(generateText(decoder, utf8, LIST)).rejects.toThrow(
      "the decoder chose token 258: the vocabulary has 257",
    );
    // vocabSize itself is how a device says that there is no token
    decoder.greedy = async (feeds) => new Uint32Array(feeds.length).fill(VOCAB);
    await expect(generateText(decoder, utf8, LIST)).rejects.toThrow(
      "no token has a probability: of 257 logits one is NaN or Infinity, or all are -Infinity",
    );
    decoder.greedy = async () => new Uint32Array(1);
    await expect(generateText(decoder, utf8, LIST)).rejects.toThrow("the decoder gave 1 answers to 3 feeds");
    decoder.logits = async (feeds) => feeds.map(() => new Float32Array(9));
    const sampled = generateText(decoder, utf8, LIST, { temperature: 1 });
    await expect(sampled).rejects.toThrow("the decoder gave 9 logits for a vocabulary of 257 tokens");
    const hooked = generateText(decoder, utf8, LIST, { logitsHook: () => {} });
    await expect(hooked).rejects.toThrow("the decoder gave 9 logits for a vocabulary of 257 tokens");
    expect(decoder.alive.size).toBe(0);
  });
});

describe("what cannot work is refused before anything runs", () => {
  it.each<[number[][], GenerateOptions, string]>([
    [[[1], []], {}, "prompt 1 is empty: it must have 1 token or more"],
    [[Array(10).fill(1)], {}, "prompt 0 has 10 tokens and leaves no room in a context of 10: shorten it to 9 or fewer"],
    [[[1, 2, VOCAB]], {}, "prompt 0 has token 257 at 2: the vocabulary has 257 tokens"],
    [[[0.5]], {}, "prompt 0 has token 0.5 at 0"],
    [[[1]], { samples: 0 }, "samples is 0: it must be a whole number of at least 1"],
    [[[1]], { samples: 1.5 }, "samples is 1.5"],
    [[[1]], { seed: -1 }, "seed is -1: it must be a whole number from 0 to 9007199254740991"],
    [[[1]], { logProbs: -1 }, "logProbs is -1: it must be a whole number of alternatives from 0 to 257"],
    [[[1]], { logProbs: 258 }, "logProbs is 258"],
    [[[1]], { temperature: -1 }, "temperature is -1"],
    [[[1]], { maxTokens: 0 }, "maxTokens is 0"],
    [[[1]], { stop: [""] }, "stop string 0 is empty"],
    [[[1]], { endTokens: [257] }, "stop token 257 is not one of the 257"],
  ])("%j with %j", (list, options, message) => {
    const decoder = new FakeDecoder(hashed, 10);
    expect(() => generate(decoder, utf8, list, options)).toThrow(RangeError);
    expect(() => generate(decoder, utf8, list, options)).toThrow(message);
    expect(decoder.alive.size).toBe(0);
  });
});

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { END, FakeDecoder, generateText, hashed, says, utf8, VOCAB } from "../../tests/support/fake-decoder.ts";
import { generate, type GenerateOptions, type LogitsContext, type LogitsHook } from "./generate.ts";
import { rowSeed } from "./random.ts";

const PROMPT = [65];

/** Row r ends after r + 1 tokens. */
function endsInTurn(logits: Float32Array, { tokens, promptLength, row }: LogitsContext): void {
  logits[END] = tokens.length - promptLength === row ? 50 : -Infinity;
}

/** Three letters of nearly the same logit, whatever came before. */
function nearlyFlat(): Float32Array {
  const logits = new Float32Array(VOCAB);
  logits.set([2, 1.9, 1.8], 97);
  return logits;
}

async function sayLetters(options: GenerateOptions): Promise<string> {
  const [row] = await generateText(new FakeDecoder(nearlyFlat), utf8, [[97]], { maxTokens: 5, ...options });
  return row!.text;
}

/** Runs with these options; whether the decoder was left to choose. */
async function usesGreedy(options: GenerateOptions): Promise<boolean> {
  const decoder = new FakeDecoder(says("ab"));
  const [row] = await generateText(decoder, utf8, [PROMPT], { endTokens: [END], seed: 1, ...options });
  expect(row!.text).toBe("ab");
  expect(decoder.calls.greedy * decoder.calls.logits).toBe(0);
  return decoder.calls.greedy > 0;
}

const anyOptions = fc.constantFrom<GenerateOptions>(
  {},
  { temperature: 0.7 },
  { temperature: 1.5, topK: 5 },
  { temperature: 1, topP: 0.6, minP: 0.05, frequencyPenalty: 0.5 },
  { repetitionPenalty: 1.4, presencePenalty: 0.2 },
  { temperature: 1, logProbs: 2, logitBias: { 10: 3 } },
  { logitsHook: (logits, { tokens }) => void (logits[tokens.length] = 5) },
);
const prompts = fc.array(fc.array(fc.nat(VOCAB - 1), { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 5 });

describe("a batch", () => {
  it("equals the single runs of its rows, and sample 0 the plain run", async () => {
    await fc.assert(
      fc.asyncProperty(
        prompts,
        anyOptions,
        fc.maxSafeNat(),
        fc.integer({ min: 1, max: 3 }),
        async (list, more, seed, samples) => {
          const options = { endTokens: [END], stopTokens: [7, 99], stop: ["a", "Z!"], maxTokens: 12, ...more };
          const decoder = new FakeDecoder(hashed);
          const together = await generateText(decoder, utf8, list, { ...options, seed, samples });
          expect(together.map((row) => [row.promptIndex, row.sampleIndex])).toEqual(
            list.flatMap((_, prompt) => Array.from({ length: samples }, (__, sample) => [prompt, sample])),
          );
          expect(decoder.alive.size).toBe(0);
          for (const row of together) {
            const single = new FakeDecoder(hashed);
            const own = { ...options, seed: rowSeed(seed, row.sampleIndex) };
            const [alone] = await generateText(single, utf8, [list[row.promptIndex]!], own);
            expect({ ...row, promptIndex: 0, sampleIndex: 0 }).toEqual(alone);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("feeds each prompt once, forks it for its samples, and steps all rows together until they end", async () => {
    const decoder = new FakeDecoder(hashed);
    const list = [[1, 2, 3], [4]];
    const options = { samples: 2, temperature: 1, seed: 1, endTokens: [END], logitsHook: endsInTurn };
    const rows = await generateText(decoder, utf8, list, options);
    expect(rows.map((row) => row.tokens.length)).toEqual([1, 2, 3, 4]);
    expect(decoder.batches).toEqual([2, 3, 2, 1]);
    expect(decoder.calls).toMatchObject({ fork: 2, fedTokens: 4 + 3 + 2 + 1 });
  });

  it("closes a row's sequence when it ends, not at the end of the run", async () => {
    const decoder = new FakeDecoder(says("abc"));
    const open: number[] = [];
    // The longer prompt is further along in what the model says: it ends two tokens earlier.
    for await (const piece of generate(decoder, utf8, [[65], [65, 65, 65]], { endTokens: [END] })) {
      if (piece.finishReason !== undefined) open.push(decoder.alive.size);
    }
    expect(open).toEqual([1, 0]);
  });

  it("gives different samples from one seed, the same from the same, others without a seed", async () => {
    const options = { temperature: 1, samples: 4, maxTokens: 8 };
    const run = async (more: GenerateOptions) => {
      const rows = await generateText(new FakeDecoder(hashed), utf8, [PROMPT], { ...options, ...more });
      return rows.map((row) => row.tokens.join());
    };
    const seeded = await run({ seed: 3 });
    expect(new Set(seeded).size).toBe(4);
    expect(await run({ seed: 3 })).toEqual(seeded);
    expect(await run({ seed: 4 })).not.toEqual(seeded);
    expect(await run({})).not.toEqual(await run({}));
  });

  it("of no prompts is over at once", async () => {
    expect(await generateText(new FakeDecoder(hashed), utf8, [])).toEqual([]);
  });
});

describe("how tokens are chosen", () => {
  it("lets the decoder choose when nothing looks at logits, and only then", async () => {
    expect(await usesGreedy({})).toBe(true);
    expect(await usesGreedy({ temperature: 0, topK: 3, topP: 0.5, samples: 1 })).toBe(true);
    for (const option of [
      { temperature: 0.1 },
      { repetitionPenalty: 1.1 },
      { frequencyPenalty: 0.1 },
      { presencePenalty: 0.1 },
      { logitBias: { 0: 1 } },
      { logProbs: 0 },
      { logitsHook: () => {} },
    ]) {
      expect(await usesGreedy(option)).toBe(false);
    }
  });

  it("gives the hook its own logits, the tokens so far and the row, and waits for it", async () => {
    const decoder = new FakeDecoder(says("aaaa"));
    const seen: unknown[] = [];
    const logitsHook: LogitsHook = async (logits, { tokens, promptLength, row }) => {
      await Promise.resolve();
      seen.push([row, promptLength, [...tokens], logits[97]]);
      logits.fill(-Infinity);
      logits[48 + row + tokens.length] = 0;
    };
    const rows = await generateText(decoder, utf8, [[65], [66]], { samples: 2, maxTokens: 2, logitsHook });
    expect(rows.map((row) => row.text)).toEqual(["12", "23", "34", "45"]);
    // The samples of a prompt share its logits: what a hook writes for one must not reach the other.
    expect(seen.slice(0, 4)).toEqual([
      [0, 1, [65], 10],
      [1, 1, [65], 10],
      [2, 1, [66], 10],
      [3, 1, [66], 10],
    ]);
    expect(seen[4]).toEqual([0, 1, [65, 49], 10]);
  });

  it("penalises tokens of the prompt by repetition, of the text by frequency", async () => {
    expect(await sayLetters({})).toBe("aaaaa");
    expect(await sayLetters({ repetitionPenalty: 1.5 })).toBe("bcaaa");
    expect(await sayLetters({ frequencyPenalty: 0.15 })).toBe("abacb");
    expect(await sayLetters({ presencePenalty: 0.15 })).toBe("abaaa");
  });

  it("gives log-probabilities of the model itself, whatever the sampler does", async () => {
    const decoder = new FakeDecoder(says("ab"));
    const options = {
      temperature: 0.05,
      topK: 2,
      seed: 1,
      logProbs: 2,
      endTokens: [END],
      // The model says 97, 98, END with logits of 10; 98 comes down to 7, so that 5 is chosen there.
      logitBias: { 98: -3 },
      logitsHook: (logits: Float32Array) => void (logits[5] = 8),
    };
    const [row] = await generateText(decoder, utf8, [PROMPT], options);
    const log = -Math.log(1 + 256 * Math.exp(-10));
    expect(row!.tokens).toEqual([97, 5, END]);
    const wanted: [token: number, logProb: number, likeliest: number][] = [
      [97, log, 97],
      [5, log - 10, 98],
      [END, log, END],
    ];
    expect(row!.logProbs).toEqual(
      wanted.map(([token, logProb, likeliest]) => ({
        token,
        logProb: expect.closeTo(logProb, 9) as number,
        alternatives: [
          { token: likeliest, logProb: expect.closeTo(log, 9) as number },
          { token: 0, logProb: expect.closeTo(log - 10, 9) as number },
        ],
      })),
    );
    const chosenOnly = await generateText(decoder, utf8, [PROMPT], { logProbs: 0, endTokens: [END] });
    expect(chosenOnly[0]!.logProbs!.map((each) => each.alternatives)).toEqual([[], [], []]);
    const [without] = await generateText(decoder, utf8, [PROMPT], { endTokens: [END] });
    expect(without).not.toHaveProperty("logProbs");
  });
});

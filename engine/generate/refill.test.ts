import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FakeDecoder, gather, hashed, utf8 } from "../../tests/support/fake-decoder.ts";
import { collect, generate, type GenerateOptions } from "./generate.ts";
import { ofPrompt, refill } from "./refill.ts";
import type { Piece } from "./rows.ts";

const nextTask = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** Prompts that come one after the other. */
async function* slowly<T>(items: readonly T[], onEnd: () => void = () => {}): AsyncGenerator<T> {
  try {
    for (const item of items) {
      await nextTask();
      yield item;
    }
  } finally {
    onEnd();
  }
}

/** Runs over a decoder, and the most that there were at a time. */
function runsOver(decoder: FakeDecoder, options: GenerateOptions) {
  const seen = { now: 0, most: 0 };
  async function* start(prompt: readonly number[], index: number): AsyncGenerator<Piece, void, undefined> {
    seen.most = Math.max(seen.most, ++seen.now);
    try {
      yield* ofPrompt(index, options, (own) => generate(decoder, utf8, [prompt], own));
    } finally {
      seen.now--;
    }
  }
  return { seen, start };
}

const anyPrompts = fc.array(fc.array(fc.nat(255), { minLength: 1, maxLength: 5 }), { maxLength: 12 });

describe("a batch that is filled again", () => {
  it("gives each prompt what it gives alone, so many at a time, from lists and from what comes later", async () => {
    await fc.assert(
      fc.asyncProperty(anyPrompts, fc.integer({ min: 1, max: 5 }), fc.boolean(), async (prompts, rows, isSlow) => {
        const options = { seed: 5, temperature: 1, samples: 2, maxTokens: 6, stop: "a" };
        const decoder = new FakeDecoder(hashed);
        const { seen, start } = runsOver(decoder, options);
        const got = await collect(refill(isSlow ? slowly(prompts) : prompts, rows, start));
        expect(seen.now).toBe(0);
        if (isSlow) expect(seen.most).toBeLessThanOrEqual(rows);
        else expect(seen.most).toBe(Math.min(rows, prompts.length));
        expect(decoder.alive.size).toBe(0);
        expect(got).toEqual(await collect(generate(new FakeDecoder(hashed), utf8, prompts, options)));
      }),
      { numRuns: 40 },
    );
  });

  it("tells callbacks the prompt's own number", async () => {
    const told: string[] = [];
    const { start } = runsOver(new FakeDecoder(hashed), {
      maxTokens: 1,
      samples: 2,
      stopWhen: ({ promptIndex, sampleIndex }) => told.push(`${promptIndex}.${sampleIndex}`) < 0,
      logitsHook: (_, { row }) => void told.push(`row ${row}`),
    });
    await gather(refill([[1], [2]], 1, start));
    expect(told.join()).toBe("row 0,0.0,row 1,0.1,row 2,1.0,row 3,1.1");
  });

  it("does not run far ahead of a reader who takes his time", async () => {
    const decoder = new FakeDecoder(() => Float32Array.from({ length: 257 }, (_, token) => Number(token === 97)));
    const { start } = runsOver(decoder, { maxTokens: 200 });
    let read = 0;
    for await (const _ of refill([[1], [2]], 2, start)) {
      read++;
      await nextTask();
      expect(decoder.batches.length).toBeLessThan(read + 40);
    }
    expect(read).toBe(400);
  });

  it("ends all runs and the source with an error, with a break and with an abort, even while the source is waited for", async () => {
    for (const ending of ["error", "source", "break", "abort", "abort while waiting"]) {
      const decoder = new FakeDecoder(hashed);
      const abort = new AbortController();
      let ends = 0;
      async function* source() {
        try {
          yield [1];
          yield [2];
          if (ending === "source") throw new Error("no more");
          if (ending === "abort while waiting") {
            setTimeout(() => abort.abort(new Error("no more")), 5);
            await new Promise(() => {});
          }
          yield [3];
        } finally {
          ends++;
        }
      }
      const { seen, start } = runsOver(decoder, {
        maxTokens: ending === "abort while waiting" ? 3 : Infinity,
        signal: abort.signal,
        stopWhen: ({ tokens, promptIndex }) => {
          if (ending === "error" && tokens.length === 5 && promptIndex === 1) throw new Error("no more");
          return false;
        },
      });
      let pieces = 0;
      const reading = (async () => {
        for await (const _ of refill(source(), 3, start, abort.signal)) {
          if (++pieces === 7 && ending === "break") break;
          if (pieces === 7 && ending === "abort") abort.abort(new Error("no more"));
        }
      })();
      if (ending === "break") await reading;
      else await expect(reading, ending).rejects.toThrow("no more");
      expect(seen.now, ending).toBe(0);
      expect(decoder.alive.size, ending).toBe(0);
      await nextTask();
      if (ending !== "abort while waiting") expect(ends, ending).toBe(1);
    }
  });
});

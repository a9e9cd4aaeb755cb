import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_MAX_TOKENS, StopRules, type StopOptions } from "./stop.ts";

const stopScanner = (stop: readonly string[]) => new StopRules({ stop }, 1, 1).scanner();

/** What comes out piece by piece, the end included. */
function scan(stops: readonly string[], chunks: readonly string[]): { pieces: string[]; stop: string | undefined } {
  const scanner = stopScanner(stops);
  const pieces = chunks.map((chunk) => scanner.push(chunk));
  pieces.push(scanner.finish());
  return { pieces, stop: scanner.stop };
}

/** The definition: the stop string that is complete first, of those the longest; and the text before it. */
function byDefinition(stops: readonly string[], text: string): { shown: string; stop: string | undefined } {
  for (let end = 1; end <= text.length; end++) {
    const complete = stops.filter((stop) => text.slice(0, end).endsWith(stop));
    const stop = complete.sort((a, b) => b.length - a.length)[0];
    if (stop !== undefined) return { shown: text.slice(0, end - stop.length), stop };
  }
  return { shown: text, stop: undefined };
}

function cut(text: string, cuts: readonly number[]): string[] {
  const characters = [...text];
  const at = [0, ...cuts.map((c) => c % (characters.length + 1)).sort((a, b) => a - b), characters.length];
  return at.slice(1).map((end, i) => characters.slice(at[i], end).join(""));
}

function rules(options: StopOptions): StopRules {
  return new StopRules(options, 100, 50);
}

// Few characters, so that stop strings overlap themselves and each other; two of them share their first surrogate.
const letters = fc.constantFrom("a", "b", "é", "😀", "😁");
const texts = fc.string({ unit: letters, maxLength: 40 });
const stopLists = fc.array(fc.string({ unit: letters, minLength: 1, maxLength: 5 }), { maxLength: 4 });
function twoLetters(maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength });
}
const cuts = fc.array(fc.nat(), { maxLength: 20 });

describe("StopScanner", () => {
  it("shows the text up to the first stop string, however it is cut", () => {
    fc.assert(
      fc.property(texts, stopLists, cuts, (text, stops, at) => {
        const { pieces, stop } = scan(stops, cut(text, at));
        expect({ shown: pieces.join(""), stop }).toEqual(byDefinition(stops, text));
      }),
      { numRuns: 3000 },
    );
  });

  it("finds long stop strings that repeat parts of themselves", () => {
    fc.assert(
      fc.property(twoLetters(60), fc.array(twoLetters(9), { minLength: 1, maxLength: 2 }), cuts, (text, stops, at) => {
        const { pieces, stop } = scan(stops, cut(text, at));
        expect({ shown: pieces.join(""), stop }).toEqual(byDefinition(stops, text));
      }),
      { numRuns: 3000 },
    );
  });

  it("never shows what could still be a stop string, and holds back nothing else", () => {
    fc.assert(
      fc.property(texts, stopLists, cuts, (text, stops, at) => {
        const scanner = stopScanner(stops);
        let read = "";
        let shown = "";
        for (const chunk of cut(text, at)) {
          read += chunk;
          shown += scanner.push(chunk);
          if (scanner.stop !== undefined) return;
          const beginnings = stops.flatMap((stop) => Array.from({ length: stop.length }, (_, n) => stop.slice(0, n)));
          const open = beginnings.filter((beginning) => read.endsWith(beginning)).map((beginning) => beginning.length);
          expect(shown).toBe(read.slice(0, read.length - Math.max(0, ...open)));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it.each<[string, string[], string[], string[], string | undefined]>([
    ["no stop strings", [], ["ab", "c"], ["ab", "c", ""], undefined],
    ["one over three tokens", ["</s>"], ["x<", "/s", ">y"], ["x", "", "", ""], "</s>"],
    ["one that does not come", ["</s>"], ["x<", "/p", ">y"], ["x", "</p", ">y", ""], undefined],
    ["the end while one is open", ["\n\n"], ["a\n"], ["a", "\n"], undefined],
    ["one that begins inside a failed one", ["aab"], ["aa", "aab"], ["", "aa", ""], "aab"],
    ["the one complete first, though another began earlier", ["abcd", "bc"], ["abcd"], ["a", ""], "bc"],
    ["the longest of two complete together", ["c", "bc"], ["a", "b", "cd"], ["a", "", "", ""], "bc"],
    ["one after a longer one failed", ["abcx", "c"], ["ab", "cd"], ["", "ab", ""], "c"],
    ["nothing after the stop", ["."], ["a.b", "c."], ["a", "", ""], "."],
    ["the same one twice", ["ab", "ab"], ["ab"], ["", ""], "ab"],
    ["half of a pair in common", ["😀"], ["a", "😁", "😀"], ["a", "😁", "", ""], "😀"],
    ["no normalisation", ["\u00e9"], ["e\u0301"], ["e\u0301", ""], undefined],
  ])("%s", (_, stops, chunks, pieces, stop) => {
    expect(scan(stops, chunks)).toEqual({ pieces, stop });
  });

  it("takes linear time on a text made to match almost", () => {
    const scanner = stopScanner([`${"a".repeat(50_000)}b`]);
    const begin = performance.now();
    let shown = "";
    for (let i = 0; i < 200; i++) shown += scanner.push("a".repeat(1000));
    expect(performance.now() - begin).toBeLessThan(2000);
    expect(shown + scanner.push("b")).toHaveLength(150_000);
    expect(scanner.stop).toHaveLength(50_001);
  });

  it("refuses an empty stop string and half a character", () => {
    expect(() => stopScanner(["a", ""])).toThrow("stop string 1 is empty");
    expect(() => stopScanner(["\ud83d"])).toThrow("stop string 0 has half a surrogate pair");
  });
});

describe("StopRules", () => {
  it("has its defaults", () => {
    const plain = rules({});
    expect(plain.maxTokens).toBe(DEFAULT_MAX_TOKENS);
    expect(DEFAULT_MAX_TOKENS).toBe(256);
    expect(plain.isStopToken(0)).toBe(false);
    expect(plain.scanner().push("abc")).toBe("abc");
  });

  it("ignores end tokens if asked, stop tokens never", () => {
    const both = { stopTokens: [1], endTokens: [2] };
    expect([1, 2, 3].map((token) => rules(both).isStopToken(token))).toEqual([true, true, false]);
    const ignoring = rules({ ...both, ignoreEndTokens: true });
    expect([1, 2, 3].map((token) => ignoring.isStopToken(token))).toEqual([true, false, false]);
  });

  it("takes one stop string or several, and gives every row its own scanner", () => {
    const one = rules({ stop: "ab" });
    const first = one.scanner();
    expect(first.push("xa")).toBe("x");
    expect(one.scanner().push("b")).toBe("b");
    expect(first.push("b")).toBe("");
    expect(
      rules({ stop: ["q", "ab"] })
        .scanner()
        .push("xab"),
    ).toBe("x");
  });

  it.each<[StopOptions, string]>([
    [{ maxTokens: 0 }, "maxTokens is 0: it must be a whole number of at least 1, or Infinity"],
    [{ maxTokens: 1.5 }, "maxTokens is 1.5"],
    [{ maxTokens: NaN }, "maxTokens is NaN"],
    [{ stopTokens: [100] }, "stop token 100 is not one of the 100 of the vocabulary"],
    [{ endTokens: [-1] }, "stop token -1"],
    [{ stop: "" }, "stop string 0 is empty"],
  ])("refuses %j", (options, message) => {
    expect(() => rules(options)).toThrow(RangeError);
    expect(() => rules(options)).toThrow(message);
  });
});

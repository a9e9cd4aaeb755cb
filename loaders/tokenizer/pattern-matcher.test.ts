// The matcher that counts its steps against JavaScript's engine, and against patterns that never end there.

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countedPattern, enginePattern, regexPattern, startOfText, type Pattern } from "./pattern.ts";
import { isSurelyFast } from "./pattern-speed.ts";
import { readPattern } from "./pattern-syntax.ts";

const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const CL100K = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const POSSESSIVE = String.raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`;
const O200K = String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

function spansOf(pattern: Pattern, text: string): number[] {
  const spans: number[] = [];
  const cursor = startOfText();
  while (!pattern.find(text, cursor, 64, spans));
  return spans;
}
const node = (pattern: string) => readPattern(pattern, "test");
const counted = (pattern: string) => countedPattern(node(pattern), "test");

const PATTERNS = [
  ...[
    GPT2,
    CL100K,
    POSSESSIVE,
    O200K,
    "-",
    "[\\r\\n]",
    "\\s?\\p{L}+",
    " {2,}",
    "a.b",
    "(?<=a)b|\\bt\\b",
    "\\s+$",
    ".",
    "^a|b$",
    "\\Aa|a\\z|\\n\\Z",
  ],
  ...[
    "a+b",
    "a*?b",
    "a+?",
    "(?:ab|a)(?:bc)?",
    "(?>a+)b|a",
    "(?=a+b)a|b",
    "(?!ab)\\w",
    "(?<!a)b",
    "(?<=ab?)t",
    "(a+|b)+ ",
    "(?:a|b){2,3}t",
    "(?:aa|b?a){2,}",
  ],
  ...["a{2,4}?b", "[^a]+(?=b)", "(?:(?:a|b)+ ?)+t", "\\R", "\\p{Lu}+", "(?:'t|t) ?"],
];
const text = fc.array(
  fc.constantFrom("a", "b", "t", " ", "\n", "\r", "'", "'t", "1", "\u4e00", "\u{1d49c}", "A", "-", "e\u0301"),
  { maxLength: 40 },
);

describe("the matcher", () => {
  it.each(PATTERNS)("finds what JavaScript's engine finds with %s", (pattern) => {
    const [mine, engine] = [counted(pattern), enginePattern(node(pattern), "test")];
    fc.assert(
      fc.property(text, (parts) => {
        const given = parts.join("");
        expect(spansOf(mine, given)).toEqual(spansOf(engine, given));
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    // A round that matches nothing ends a repetition in Oniguruma; JavaScript goes back for another way.
    ["(?:|a)+", "aa", [0, 0, 1, 1, 2, 2]],
    ["(a)|b\\1", "ba", [1, 2]],
    ["(\\w)\\1", "abbcc", [1, 3, 3, 5]],
    ["(?<x>a|b)\\k<x>", "abbb", [1, 3]],
  ])("finds what Oniguruma finds with %s", (pattern, given, spans) => {
    expect(spansOf(counted(pattern), given)).toEqual(spans);
  });

  it.each(["(a+)+$", "(a|a)*b", "(a|aa)+$", "(a+){10}b", "a*a*a*a*b", "^(?:(?:a+)+)+c", "(?=(a+)+b)a", "(?>(a+)+b)"])(
    "ends %s in a few steps for each character",
    (pattern) => {
      const given = `${"a".repeat(3000)}!`;
      const cursor = startOfText();
      while (!counted(pattern).find(given, cursor, 64, []));
      expect(cursor.steps).toBeLessThan(500 * given.length);
    },
  );

  it("ends what cannot be told apart by its limit, in a sentence", () => {
    const pattern = counted("(a|b|ab)*\\1c");
    expect(() => spansOf(pattern, "ab".repeat(2000))).toThrow(
      /^test takes more than 3000000 steps for a text of 4000 /,
    );
    expect(() => counted("(?:(?:a{1000}b?){100}c?){100}")).toThrow("repetitions that make more than 20000 steps");
  });

  it("pauses within a search that finds nothing", () => {
    const cursor = startOfText();
    expect(counted("ab+c").find("ab".repeat(200_000), cursor, 64, [])).toBe(false);
    expect(cursor.at).toBeGreaterThan(1000);
    expect(cursor.at).toBeLessThan(400_000);
  });
});

describe("JavaScript's engine", () => {
  it.each([GPT2, CL100K, O200K, "-", "\\s?\\p{L}+", "\\p{N}{1,3}", "[0-9][0-9][0-9]", " ?[^\\s\\p{L}]+[\\r\\n]*"])(
    "runs %s",
    (pattern) => {
      expect(isSurelyFast(pattern, node(pattern))).toBe(true);
      // In any run of one kind of character, however it ends.
      for (const run of ["a", "A", " ", "\n", "1", "!", "\u4e00", "'", "\u0301"]) {
        for (const end of ["", "a", " ", "!", "\n"]) {
          expect(spansOf(regexPattern(pattern, "test"), run.repeat(20_000) + end).length).toBeGreaterThanOrEqual(0);
        }
      }
    },
  );

  it.each([
    POSSESSIVE,
    "(a+)+$",
    "a+b",
    "\\s+$",
    "(a|b)*c",
    "(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)",
    "a*b*c",
    "(?=a*b)a",
    "(a)\\1",
  ])("does not run %s", (pattern) => {
    expect(isSurelyFast(pattern, node(pattern))).toBe(false);
  });
});

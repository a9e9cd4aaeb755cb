import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { loadTokenizer, localFolder, type Tokenizer } from "../../loaders/index.ts";
import { hasShared, shared, WITHOUT_SHARED } from "../../tests/support/shared.ts";
import { coveringTokens } from "./spans.ts";

const shipped = fileURLToPath(new URL("../../models/kedge-js-5m", import.meta.url));

/** Texts that tokenizers find hard: any code points, words, runs of white space, pieces of code, emoji, halves of pairs. */
const texts = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 6 }),
      fc.constantFrom(" ", "  ", "\n", "\n\n    ", "\t", "\r\n", "hello", " world", "Once upon a time", "é", "e\u0301"),
      fc.constantFrom(
        "日本語",
        "👩‍👩‍👧",
        "🙂",
        "\ud83d",
        "\u2581",
        "<s>",
        "<unk>",
        "<|endoftext|>",
        "function f(a) {",
        "12345",
      ),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(""));

/** A text and a range in it that is not empty. */
const textsWithSpans = texts
  .filter((text) => text.length > 0)
  .chain((text) =>
    fc
      .tuple(fc.constant(text), fc.nat(text.length - 1), fc.nat(text.length - 1))
      .map(([whole, a, b]) => ({ text: whole, begin: Math.min(a, b), end: Math.max(a, b) + 1 })),
  );

/** What of a text is not covered. */
function uncovered(text: string, isCovered: Uint8Array): string {
  return Array.from({ length: text.length }, (_, i) => (isCovered[i] ? "" : text[i]!)).join("");
}

interface Case {
  readonly name: string;
  readonly path: string;
}

const CASES: readonly Case[] = [
  { name: "kedge-js-5m", path: shipped },
  { name: "stories260K", path: shared("models/stories260K") },
  { name: "smollm2", path: shared("models/smollm2-135m-instruct") },
  { name: "gpt2", path: shared("data/tokenizers/gpt2") },
  { name: "qwen2", path: shared("data/tokenizers/qwen2") },
];

describe.each(CASES)("$name", ({ name, path }) => {
  const isHere = name === "kedge-js-5m" || hasShared();
  describe.skipIf(!existsSync(path))(isHere && existsSync(path) ? "places tokens" : WITHOUT_SHARED, () => {
    let tokenizer: Tokenizer;
    beforeAll(async () => {
      tokenizer = await loadTokenizer(localFolder(path));
    });

    /** White space may be dropped, and so is what there is no token for. */
    const isLost = (character: string): boolean =>
      /\s/.test(character) || tokenizer.encode(character, { addSpecialTokens: false }).length === 0;

    it("in ascending ranges inside of the text, which they cover but for white space", () => {
      fc.assert(
        fc.property(texts, (text) => {
          const offsets = tokenizer.encodeWithOffsets(text).offsets;
          const isCovered = new Uint8Array(text.length);
          let [begin, end] = [0, 0];
          for (const range of offsets) {
            expect(range.begin).toBeGreaterThanOrEqual(begin);
            expect(range.end).toBeGreaterThanOrEqual(end);
            expect(range.end).toBeGreaterThanOrEqual(range.begin);
            ({ begin, end } = range);
            isCovered.fill(1, begin, end);
          }
          expect(end).toBeLessThanOrEqual(text.length);
          expect([...uncovered(text, isCovered)].filter((character) => !isLost(character))).toEqual([]);
        }),
        { numRuns: 200 },
      );
    });

    it("so that a span's tokens cover it, and would not without the first or the last", () => {
      fc.assert(
        fc.property(textsWithSpans, ({ text, begin, end }) => {
          const offsets = tokenizer.encodeWithOffsets(text).offsets;
          const tokens = coveringTokens(offsets, { begin, end });
          if (!tokens) {
            expect([...text.slice(begin, end)].filter((character) => !isLost(character))).toEqual([]);
            return;
          }
          const overlaps = (i: number): boolean => offsets[i]!.begin < end && offsets[i]!.end > begin;
          // Covered: no token outside of the range has a character of the span ...
          for (const i of offsets.keys()) if (i < tokens.begin || i >= tokens.end) expect(overlaps(i)).toBe(false);
          // ... and minimal: the outermost tokens have one.
          expect(overlaps(tokens.begin)).toBe(true);
          expect(overlaps(tokens.end - 1)).toBe(true);
        }),
        { numRuns: 200 },
      );
    });

    it("at the bytes that they decode to", () => {
      // An oracle of another kind: the text up to a token's end is what the tokens up to it decode to.
      const text = "Once upon a time,  there was a big 日本 fox.\n\n  It said: “hi” 👩‍👧!\n";
      const { ids, offsets } = tokenizer.encodeWithOffsets(text, { addSpecialTokens: false });
      expect(tokenizer.decode(ids)).toBe(text);
      for (const i of ids.keys()) {
        const decoded = tokenizer.decode(ids.slice(0, i + 1));
        if (decoded.includes("\ufffd")) continue; // amid a character
        expect(text.slice(0, offsets[i]!.end)).toBe(decoded);
      }
    });
  });
});

describe.skipIf(!hasShared("models/stories260K"))("sentencepiece (needs ../shared)", () => {
  it("gives an added <s> and an added space no characters", async () => {
    const tokenizer = await loadTokenizer(localFolder(shared("models/stories260K")));
    const { ids, offsets } = tokenizer.encodeWithOffsets("Once upon");
    expect(ids[0]).toBe(tokenizer.tokenToId("<s>"));
    expect(offsets[0]).toEqual({ begin: 0, end: 0 });
    expect(offsets[1]!.begin).toBe(0);
    expect(offsets.at(-1)!.end).toBe(9);
  });
});

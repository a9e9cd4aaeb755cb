import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { loadTokenizer, localFolder, type Tokenizer } from "../../loaders/index.ts";
import { hasShared, shared, WITHOUT_SHARED } from "../../tests/support/shared.ts";
import { coveringTokens } from "./spans.ts";
import { tokenOffsets, type PlacingTokenizer } from "./token-offsets.ts";

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
          const offsets = tokenOffsets(text, tokenizer.encode(text), tokenizer);
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
          const offsets = tokenOffsets(text, tokenizer.encode(text), tokenizer);
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
      const ids = tokenizer.encode(text, { addSpecialTokens: false });
      const offsets = tokenOffsets(text, ids, tokenizer);
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
    const ids = tokenizer.encode("Once upon");
    const offsets = tokenOffsets("Once upon", ids, tokenizer);
    expect(ids[0]).toBe(tokenizer.tokenToId("<s>"));
    expect(offsets[0]).toEqual({ begin: 0, end: 0 });
    expect(offsets[1]!.begin).toBe(0);
    expect(offsets.at(-1)!.end).toBe(9);
  });
});

/** A tokenizer of the pieces listed: id = index. It encodes nothing, but knows which characters it has no token for. */
function fake(
  pieces: readonly (string | readonly number[])[],
  { special = [], unknown = null, lacks = "" }: { special?: number[]; unknown?: number | null; lacks?: string } = {},
): PlacingTokenizer {
  return {
    tokenBytes: (id) => {
      const piece = pieces[id] ?? "";
      return typeof piece === "string" ? new TextEncoder().encode(piece) : Uint8Array.from(piece);
    },
    specialTokenIds: new Set(special),
    unkTokenId: unknown,
    encode: (text) => (lacks.includes(text) ? [] : [0]),
  };
}

/** Ranges as text: "0-2 2-5". */
function written(text: string, ids: readonly number[], tokenizer: PlacingTokenizer): string {
  return tokenOffsets(text, ids, tokenizer)
    .map(({ begin, end }) => `${begin}-${end}`)
    .join(" ");
}

describe("what tokenizers do besides cutting", () => {
  it("puts special tokens in, before a text that begins with the same one", () => {
    const tokenizer = fake(["<s>", "a", "</s>"], { special: [0, 2] });
    expect(written("a", [0, 1, 2], tokenizer)).toBe("0-0 0-1 1-1");
    expect(written("<s>a", [0, 0, 1], tokenizer)).toBe("0-0 0-3 3-4");
    expect(written("a</s>", [1, 2, 2], tokenizer)).toBe("0-1 1-5 5-5");
  });

  it("puts a space before the first word, or before any that follows a special token", () => {
    const tokenizer = fake(["<s>", " a", " b", " "], { special: [0] });
    expect(written("a b", [0, 1, 2], tokenizer)).toBe("0-0 0-1 1-3");
    expect(written("a<s>b", [1, 0, 2], tokenizer)).toBe("0-1 1-4 4-5");
    // The added space is the first of two.
    expect(written(" a", [3, 1], tokenizer)).toBe("0-0 0-2");
    expect(written(" a", [1], tokenizer)).toBe("0-2");
  });

  it("drops and joins white space", () => {
    const tokenizer = fake(["a", " b"]);
    expect(written("  a    b\n", [0, 1], tokenizer)).toBe("2-3 6-8");
  });

  it("cuts characters into bytes", () => {
    const tokenizer = fake([[0xe6, 0x97], [0xa5, 0x61], "b"]);
    expect(written("日ab", [0, 1, 2], tokenizer)).toBe("0-1 0-2 2-3");
    // A token without bytes amid a character is part of it.
    expect(written("日ab", [0, 9, 1, 2], tokenizer)).toBe("0-1 0-1 0-2 2-3");
  });

  it("has one unknown token for one character or for several", () => {
    const tokenizer = fake(["<unk>", "a", " b"], { special: [0], unknown: 0 });
    expect(written("a日本a", [1, 0, 1], tokenizer)).toBe("0-1 1-3 3-4");
    expect(written("日本a", [0, 0, 1], tokenizer)).toBe("0-1 1-2 2-3");
    expect(written("日  b", [0, 2], tokenizer)).toBe("0-1 2-4");
  });

  it("leaves out bytes that it has no token for", () => {
    // No token for the third byte of four.
    const pieces = [[0xf1, 0x80], [0x81], "a"];
    const tokenizer = { ...fake(pieces), encode: (text: string) => (text === "a" ? [2] : [0, 1]) };
    expect(written("a\u{40001}a", [2, 0, 1, 2], tokenizer)).toBe("0-1 1-3 1-3 3-4");
  });

  it("leaves out characters that it has no token for", () => {
    const tokenizer = fake(["a"], { lacks: "日" });
    expect(written("a日a", [0, 0], tokenizer)).toBe("0-1 2-3");
    expect(() => written("a本a", [0, 0], tokenizer)).toThrow(RangeError);
  });

  it("brings text to a normal form: marks then belong to their base", () => {
    expect(written("e\u0301a", [0, 1], fake(["é", "a"]))).toBe("0-2 2-3");
    expect(written("xéa", [2, 0, 1], fake(["e\u0301", "a", "x"]))).toBe("0-1 1-2 2-3");
    expect(written("ﬁn", [0, 1], fake(["f", "in"]))).toBe("0-1 0-2");
    expect(written("\u1112\u1161\u11ab!", [0, 1], fake(["한", "!"]))).toBe("0-3 3-4");
  });

  it("cannot tell a space from sentencepiece's sign for it", () => {
    expect(written("a\u2581b", [0, 1], fake(["a", " b"]))).toBe("0-1 1-3");
    // One that puts no second space before a text that begins with one.
    const tokenizer = { ...fake(["a", " b", " "]), encode: () => [2] };
    expect(written("a\u2581b", [0, 1], tokenizer)).toBe("0-1 1-3");
  });

  it("refuses tokens of another text, saying where they part", () => {
    const tokenizer = fake(["ab", "cd", "x"]);
    expect(() => tokenOffsets("abcdef", [0, 1, 2], tokenizer)).toThrow(
      'the 3 tokens cannot be matched with the text: at character 4 of 6 it has "ef", and the tokens have token 2 "x"; name anchors by tokens',
    );
    expect(() => tokenOffsets("abcd", [0], tokenizer)).toThrow('it has "cd", and the tokens have nothing');
    expect(() => tokenOffsets("", [0], tokenizer)).toThrow(RangeError);
    expect(tokenOffsets("", [], tokenizer)).toEqual([]);
  });

  it("gives up in bounded time", () => {
    const tokenizer = fake(["<unk>", "z"], { special: [0], unknown: 0 });
    const ids = [...Array.from({ length: 4000 }, () => 0), 1];
    expect(() => tokenOffsets("ab".repeat(8000), ids, tokenizer)).toThrow("the 4001 tokens cannot be matched");
  });
});

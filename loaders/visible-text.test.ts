import { describe, expect, it } from "vitest";
import { visibleText } from "./visible-text.ts";

const spelled = (text: string): string => JSON.parse(`"${text}"`) as string;

describe("words of a file", () => {
  it.each([
    ["\u001b[31mred\u001b[0m", String.raw`\u001b[31mred\u001b[0m`],
    ["\u009b2J", String.raw`\u009b2J`],
    ["good\rbad", String.raw`good\rbad`],
    ["a\nb\tc", String.raw`a\nb\tc`],
    ["\u0000\u0007\b\u007f", String.raw`\u0000\u0007\u0008\u007f`],
    ["a\u202eb\u2066c\u2069\u200f", String.raw`a\u202eb\u2066c\u2069\u200f`],
    ["a\u200bb\ufeffc\u00ad", String.raw`a\u200bb\ufeffc\u00ad`],
    ["a\u2028b\u2029", String.raw`a\u2028b\u2029`],
    ["tag \u{e0041}", String.raw`tag \udb40\udc41`],
    ["half \ud800 of", String.raw`half \ud800 of`],
  ])("%j are %s", (text, shown) => {
    expect(visibleText(text)).toBe(shown);
    expect(spelled(shown)).toBe(text);
  });

  it("that can be seen are as they are", () => {
    for (const text of ["", "model.layers.0.weight", "é ü 漢字 한국어 العربية עברית", "👩‍👩‍👧 \u200d\u200c", "a b"])
      expect(visibleText(text)).toBe(text);
  });

  it("are one line without controls, whatever they are", () => {
    for (let begin = 0; begin < 0x110000; begin += 0x1000) {
      const text = String.fromCodePoint(...Array.from({ length: 0x1000 }, (_, i) => begin + i));
      const shown = visibleText(text);
      expect(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u.test(shown)).toBe(false);
      expect(visibleText(shown)).toBe(shown);
    }
  });
});

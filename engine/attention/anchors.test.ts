import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  anchorsAtLineBreaks,
  anchorsEvery,
  anchorsWhere,
  anchorsWithIds,
  lineBreakTokenIds,
  marksOf,
  type TokenTexts,
} from "./anchors.ts";

const vocabulary = (texts: readonly (string | Uint8Array)[]): TokenTexts => ({
  vocabSize: texts.length,
  tokenBytes: (id) => {
    const text = texts[id] ?? "";
    return typeof text === "string" ? new TextEncoder().encode(text) : text;
  },
});

describe("choosing anchors", () => {
  const tokenizer = vocabulary(["<s>", "a", "\n", ":\n    ", " n", "\r", "\\n", Uint8Array.of(0xe2, 0x82), ""]);

  it("by ids", () => {
    const isAnchor = anchorsWithIds([3, 5]);
    expect([0, 3, 4, 5].map((id) => isAnchor(id, 0))).toEqual([false, true, false, true]);
  });

  it("by line breaks in the text of tokens", () => {
    expect(lineBreakTokenIds(tokenizer)).toEqual([2, 3, 5]);
    const isAnchor = anchorsAtLineBreaks(tokenizer);
    expect(Array.from({ length: 9 }, (_, id) => isAnchor(id, 7))).toEqual(
      [0, 0, 1, 1, 0, 1, 0, 0, 0].map((is) => is === 1),
    );
    expect(() => anchorsAtLineBreaks(vocabulary(["a", "b"]))).toThrow("0 of the vocabulary's 2 tokens");
  });

  it("by counting", () => {
    const isAnchor = anchorsEvery(3);
    expect([0, 1, 2, 3, 4, 5].filter((position) => isAnchor(9, position))).toEqual([2, 5]);
    expect(anchorsEvery(1)(0, 0)).toBe(true);
    for (const n of [0, -1, 1.5, NaN]) expect(() => anchorsEvery(n)).toThrow(`at least 1; it is ${n}`);
  });

  it("by a predicate, which sees id, text and position", () => {
    const asked: unknown[] = [];
    let decoded = 0;
    const counting = { ...tokenizer, tokenBytes: (id: number) => (decoded++, tokenizer.tokenBytes(id)) };
    const isAnchor = anchorsWhere(counting, (...given) => {
      asked.push(given);
      return given[1].endsWith("n");
    });
    expect([isAnchor(4, 0), isAnchor(1, 1), isAnchor(7, 2), isAnchor(4, 3)]).toEqual([true, false, false, true]);
    expect(asked).toEqual([
      [4, " n", 0],
      [1, "a", 1],
      [7, "\ufffd", 2],
      [4, " n", 3],
    ]);
    expect(decoded).toBe(3);
  });
});

describe("segments", () => {
  const isAnchor = anchorsWithIds([0]);

  it("end with their anchor", () => {
    const tokens = [5, 5, 0, 0, 5];
    expect([...marksOf(tokens, isAnchor)]).toEqual([0, 0, 1, 3, 4]);
  });

  it("go on where a sequence stood: any chunks give the marks of the whole", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 4 })),
        fc.nat(),
        fc.integer({ min: 1, max: 5 }),
        (tokens, at, n) => {
          const chooser = (token: number, position: number) => token === 0 || anchorsEvery(n)(token, position);
          const whole = marksOf(tokens, chooser);
          const cut = tokens.length === 0 ? 0 : at % tokens.length;
          const head = marksOf(tokens.slice(0, cut), chooser);
          const segment = head.reduce((count, mark) => count + (mark & 1), 0);
          expect([...head, ...marksOf(tokens.slice(cut), chooser, { position: cut, segment })]).toEqual([...whole]);
          let count = 0;
          for (const [i, mark] of whole.entries()) {
            const ends = chooser(tokens[i]!, i);
            expect(mark).toBe(2 * count + Number(ends));
            count += Number(ends);
          }
        },
      ),
    );
  });
});

import { describe, expect, it } from "vitest";
import type { AttentionPattern } from "./pattern.ts";
import { massByClass, tokenClass, tokenClasses, type TokenClass } from "./token-classes.ts";

describe("the class of a token", () => {
  it.each<[text: string, name: TokenClass]>([
    ["\n", "line-break"],
    [":\r\n    ", "line-break"],
    ["\r", "line-break"],
    ["    ", "indentation"],
    ["\t", "indentation"],
    [" return", "keyword"],
    ["def", "keyword"],
    ["const", "keyword"],
    [" definition", "identifier"],
    ["_count2", "identifier"],
    ["ing", "identifier"],
    ["größe", "identifier"],
    ["$el", "identifier"],
    [" @property", "identifier"],
    ["42", "number"],
    [" 0x1F", "number"],
    ["3.14", "number"],
    ["1e5", "number"],
    ["):", "punctuation"],
    [" =>", "punctuation"],
    ["€", "punctuation"],
    [`"`, "string"],
    [` 'text'`, "string"],
    [`"""`, "string"],
    ["<s>", "other"],
    ["</s>", "other"],
    ["<|im_end|>", "other"],
    ["\ufffd", "other"],
    ["", "other"],
    ["x=1", "other"],
  ])("%j is %s", (text, name) => {
    expect(tokenClass(text)).toBe(name);
  });

  it("of a sequence's first token is of its own kind", () => {
    expect(tokenClasses(["def", " f", "(", "\n"])).toEqual(["first-token", "identifier", "punctuation", "line-break"]);
  });
});

describe("attention by class", () => {
  // 2 heads, 2 rows at positions 2 and 3, 4 keys
  const pattern: AttentionPattern = {
    shape: [2, 2, 4],
    data: [...[0.5, 0.25, 0.25, 0, 0.1, 0.2, 0.3, 0.4], ...[2, 1, 1, 0, 0, 0, 0, 1]],
  };
  const classes: TokenClass[] = ["first-token", "identifier", "line-break", "identifier"];

  it("is the mean over rows of the class's share, against that of the keys in sight", () => {
    const { heads, all } = massByClass(pattern, classes);
    const [head] = heads;
    expect(head!["first-token"].mass).toBeCloseTo(0.3, 12);
    expect(head!["line-break"].mass).toBeCloseTo(0.275, 12);
    expect(head!.identifier.mass).toBeCloseTo(0.425, 12);
    expect(head!.identifier.positions).toBeCloseTo((1 / 3 + 1 / 2) / 2, 12);
    expect(head!.identifier.ratio).toBeCloseTo(0.425 / (5 / 12), 12);
    expect(head!.number).toEqual({ mass: 0, positions: 0, ratio: NaN });
    expect(heads[1]!["first-token"].mass).toBeCloseTo(0.25, 12);
    expect(all!["first-token"].mass).toBeCloseTo(0.275, 12);
    for (const shares of [head!, all!]) {
      const sum = (key: "mass" | "positions") => Object.values(shares).reduce((so, share) => so + share[key], 0);
      expect([sum("mass"), sum("positions")].map((total) => total.toFixed(9))).toEqual(["1.000000000", "1.000000000"]);
    }
  });

  it("leaves heads without rows out", () => {
    expect(massByClass(pattern, classes, { minKeys: 5 })).toEqual({ heads: [null, null], all: null });
    const silent: AttentionPattern = { shape: [2, 1, 2], data: [0, 0, 1, 1] };
    const { heads, all } = massByClass(silent, ["first-token", "number"]);
    expect(heads[0]).toBeNull();
    expect(all!.number.mass).toBe(0.5);
  });

  it("refuses classes of another count", () => {
    expect(() => massByClass(pattern, ["number"])).toThrow("the pattern has 4 keys; the classes of 1 were given");
  });
});

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  coveringTokens,
  findOccurrences,
  mergeSpans,
  parseAnchorArgument,
  resolveAnchors,
  type PromptAnchor,
  type AnchorPrompt,
  type Span,
} from "./spans.ts";
import { escapeAnchorTags, hasAnchorTags, parseAnchorTags } from "./tags.ts";

/** A prompt whose tokens are cut where the text has a bar. */
function prompt(cut: string): AnchorPrompt {
  const pieces = cut.split("|");
  let end = 0;
  const offsets = pieces.map((piece) => ({ begin: end, end: (end += piece.length) }));
  return { text: pieces.join(""), ids: pieces.map((_, i) => i), offsets };
}

const sentence = prompt("Sort| the| list| of| num|bers|,| then| the| words|.");

/** Tokens by group, as text: "1-3 5-6". */
function written(anchors: readonly PromptAnchor[], on = sentence, strength?: number): string[] {
  return resolveAnchors(on, anchors, { strength }).groups.map(
    (group) => `${String(group.strength)}: ${group.tokens.map(({ begin, end }) => `${begin}-${end}`).join(" ")}`,
  );
}

const rule = (): number => 1.5;
/** Without escapes. */
const plain = (text: string): string => text.replaceAll("\\", "/");

describe("resolveAnchors", () => {
  it("takes every occurrence of a text", () => {
    expect(written([" the"])).toEqual(["undefined: 1-2 7-8 8-9"]);
    expect(written([" numbers"])).toEqual(["undefined: 4-6"]);
  });

  it("joins anchors of one strength, and keeps others apart, in the order of their naming", () => {
    const anchors = [
      { text: " list", strength: 2 },
      " words",
      { text: " numbers", strength: 1.5 },
      { text: ",", strength: 2 },
    ];
    expect(written(anchors)).toEqual(["2: 2-3 6-7", "undefined: 9-10", "1.5: 4-6"]);
    expect(written(anchors, sentence, 1.5)).toEqual(["2: 2-3 6-7", "1.5: 4-6 9-10"]);
  });

  it("keeps groups with names apart even if their strength is one", () => {
    const anchors = [
      { text: " list", group: "a", strength: 2 },
      { text: " words", group: "b", strength: 2 },
      { text: ",", group: "a", strength: 2 },
    ];
    expect(written(anchors)).toEqual(["2: 2-3 6-7", "2: 9-10"]);
    expect(resolveAnchors(sentence, anchors).groups.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(() => resolveAnchors(sentence, [...anchors, { text: ".", group: "b", strength: 3 }])).toThrow(
      'the anchor "." has strength 3, but its group "b" has 2',
    );
  });

  it("takes ranges of characters and of tokens", () => {
    expect(written([{ characters: { begin: 4, end: 13 } }, { tokens: { begin: 9, end: 11 } }])).toEqual([
      "undefined: 1-3 9-11",
    ]);
    expect(written([{ tokens: { begin: 0, end: 2 } }], { ids: [7, 8] })).toEqual(["undefined: 0-2"]);
  });

  it("masks whole tokens, and says so", () => {
    const { groups, notes } = resolveAnchors(sentence, ["the"]);
    expect(groups[0]!.tokens).toEqual([
      { begin: 1, end: 2 },
      { begin: 7, end: 8 },
      { begin: 8, end: 9 },
    ]);
    expect(notes).toEqual([
      'the anchor "the" covers part of a token at 3 of 3 places: the whole token is masked, such as token 1 " the"',
    ]);
    expect(resolveAnchors(sentence, [{ characters: { begin: 4, end: 6 } }]).notes).toEqual([
      'anchor 0 covers part of a token: the whole token is masked, such as token 1 " the"',
    ]);
    expect(resolveAnchors(sentence, [" the list"]).notes).toEqual([]);
  });

  it("keeps a function as strength", () => {
    expect(resolveAnchors(sentence, [{ text: " list", strength: rule }]).groups[0]!.strength).toBe(rule);
  });

  const wrong: [name: string, anchors: readonly PromptAnchor[], message: string, on?: AnchorPrompt][] = [
    ["no anchors", [], "0 anchors are named; anchoring needs at least 1"],
    ["one that does not occur", ["cat"], 'the anchor "cat" does not occur in the prompt of 41 characters'],
    ["an empty text", [""], 'the anchor "" has 0 characters; it needs at least 1'],
    [
      "an empty range",
      [{ characters: { begin: 3, end: 3 } }],
      "anchor 0 is characters 3..3, which is empty; it needs at least 1",
    ],
    [
      "characters outside",
      [{ characters: { begin: 40, end: 60 } }],
      "anchor 0 is characters 40..60, which is no range of the prompt's 41 characters",
    ],
    [
      "a range backwards",
      [{ tokens: { begin: 4, end: 2 } }],
      "anchor 0 is tokens 4..2, which is no range of the prompt's 11 tokens",
    ],
    [
      "tokens outside",
      [{ tokens: { begin: 0, end: 12 } }],
      "anchor 0 is tokens 0..12, which is no range of the prompt's 11 tokens",
    ],
    [
      "a strength that is not a number",
      [{ text: "Sort", strength: NaN }],
      'the strength of the anchor "Sort" is NaN: it must be a finite number or a function of the step',
    ],
    [
      "a strength as text",
      [{ text: "Sort", strength: "1.4" as unknown as number }],
      'the strength of the anchor "Sort" is "1.4": it must be a finite number or a function of the step',
    ],
    [
      "groups that overlap",
      [{ text: "the list of", strength: 2 }, { text: "list" }],
      'the anchor "the list of" and the anchor "list" are of different groups but overlap at character 9 of the prompt',
    ],
    [
      "groups that share a token",
      [{ text: " nu", strength: 2 }, { text: "mbers" }],
      'the anchor " nu" and the anchor "mbers" are of different groups but share token 4 " num"',
    ],
    [
      "text where there are tokens only",
      ["x"],
      'the anchor "x" is named by its characters, but the prompt is given as tokens: name anchors by tokens',
      { ids: [1, 2] },
    ],
    [
      "characters that the tokenizer drops",
      [{ characters: { begin: 1, end: 2 } }],
      "anchor 0: no token stands for characters 1..2 of the prompt, which the tokenizer drops",
      {
        ids: [1, 2],
        text: "a b",
        offsets: [
          { begin: 0, end: 1 },
          { begin: 2, end: 3 },
        ],
      },
    ],
  ];
  it.each(wrong)("refuses %s", (_name, anchors, message, on = sentence) => {
    expect(() => resolveAnchors(on, anchors)).toThrow(new RangeError(message));
  });

  it("finds overlaps wherever they are, and only those", () => {
    const spans = fc.array(fc.tuple(fc.nat(11), fc.nat(11), fc.nat(2)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(spans, (given) => {
        const ranges = given.map(([a, b, group]) => ({ begin: Math.min(a, b), end: Math.max(a, b) + 1, group }));
        const ids = Array.from({ length: 12 }, (_, i) => i);
        const anchors = ranges.map(({ begin, end, group }) => ({ tokens: { begin, end }, strength: group }));
        const owners = ids.map((i) => new Set(ranges.filter((r) => r.begin <= i && i < r.end).map((r) => r.group)));
        const resolve = () => resolveAnchors({ ids }, anchors).groups;
        if (owners.some((groups) => groups.size > 1)) expect(resolve).toThrow("share token");
        else {
          const masked = resolve().flatMap(({ tokens, strength }) =>
            tokens.flatMap(({ begin, end }) => ids.slice(begin, end).map((i) => `${i} ${String(strength)}`)),
          );
          const want = owners.flatMap((groups, i) => [...groups].map((group) => `${i} ${group}`));
          expect(masked.toSorted()).toEqual(want.toSorted());
        }
      }),
    );
  });
});

describe("parseAnchorArgument", () => {
  it.each([
    ["hold on", { text: "hold on" }],
    ["hold on@1.4", { text: "hold on", strength: 1.4 }],
    ["a@b@-.5", { text: "a@b", strength: -0.5 }],
    ["@Override", { text: "@Override" }],
    ["mail me@home", { text: "mail me@home" }],
    ["x@1e-1", { text: "x", strength: 0.1 }],
    ["2\\@1.4", { text: "2@1.4" }],
    ["2\\@1.4@1.5", { text: "2@1.4", strength: 1.5 }],
    ["x@", { text: "x@" }],
  ])("reads %s", (argument, want) => expect(parseAnchorArgument(argument)).toEqual(want));

  it.each([
    ["x@1,4", 'the strength of the anchor "x@1,4" is "1,4": it must be a number (write \\@ for an @ of the text)'],
    ["@1.4", 'the anchor "@1.4" has no text'],
    ["", 'the anchor "" has no text'],
    [
      "x@1e999",
      'the strength of the anchor "x@1e999" is Infinity: it must be a finite number or a function of the step',
    ],
  ])("refuses %s", (argument, message) => {
    expect(() => parseAnchorArgument(argument)).toThrow(new RangeError(message));
  });
});

describe("ranges", () => {
  it("finds overlapping occurrences", () => {
    expect(findOccurrences("aaa", "aa")).toEqual([
      { begin: 0, end: 2 },
      { begin: 1, end: 3 },
    ]);
    expect(findOccurrences("aaa", "")).toEqual([]);
  });

  it("joins spans that overlap, not those that touch", () => {
    const spans: Span[] = [
      { begin: 4, end: 6 },
      { begin: 0, end: 3 },
      { begin: 3, end: 4 },
      { begin: 1, end: 2 },
      { begin: 5, end: 8 },
    ];
    expect(mergeSpans(spans)).toEqual([
      { begin: 0, end: 3 },
      { begin: 3, end: 4 },
      { begin: 4, end: 8 },
    ]);
  });

  it("leaves tokens without characters out at the edges of a span, not inside", () => {
    const offsets = [
      [0, 0],
      [0, 2],
      [2, 2],
      [2, 4],
      [4, 4],
    ].map(([begin, end]) => ({ begin: begin!, end: end! }));
    expect(coveringTokens(offsets, { begin: 0, end: 4 })).toEqual({ begin: 1, end: 4 });
    expect(coveringTokens(offsets, { begin: 0, end: 2 })).toEqual({ begin: 1, end: 2 });
    expect(coveringTokens(offsets, { begin: 1, end: 3 })).toEqual({ begin: 1, end: 4 });
    const dropped = [0, 2, 2].map((begin, i) => ({ begin, end: [1, 2, 4][i]! }));
    expect(coveringTokens(dropped, { begin: 1, end: 3 })).toEqual({ begin: 2, end: 3 });
    expect(coveringTokens([{ begin: 0, end: 1 }], { begin: 1, end: 2 })).toBeNull();
  });
});

describe("tags", () => {
  it("are taken out, and what was between them named", () => {
    const { text, spans } = parseAnchorTags("Please <anchor>sort</anchor><anchor> it</anchor>.");
    expect(text).toBe("Please sort it.");
    expect(spans).toEqual([
      { begin: 7, end: 11 },
      { begin: 11, end: 14 },
    ]);
  });

  it.each([
    ["\\<anchor>", "<anchor>", 0],
    ["a\\</anchor>b", "a</anchor>b", 0],
    ["\\\\<anchor>x</anchor>", "\\x", 1],
    ["\\\\\\<anchor>", "\\<anchor>", 0],
    ["a\\b <Anchor> < /anchor> \\n", "a\\b <Anchor> < /anchor> \\n", 0],
    ["<anchor>a \\</anchor> b</anchor>", "a </anchor> b", 1],
  ])("with backslashes: %s", (given, text, count) => {
    const parsed = parseAnchorTags(given);
    expect(parsed.text).toBe(text);
    expect(parsed.spans).toHaveLength(count);
    expect(hasAnchorTags(given)).toBe(given !== text);
  });

  it.each([
    [
      "a <anchor>b <anchor>c</anchor></anchor>",
      "the <anchor> at character 12 is inside the one at character 2: tags cannot nest (write \\<anchor> for a literal one)",
    ],
    [
      "a</anchor>",
      "the </anchor> at character 1 closes nothing: there is no <anchor> before it (write \\</anchor> for a literal one)",
    ],
    ["a <anchor>b", "the <anchor> at character 2 of 11 is never closed (write \\<anchor> for a literal one)"],
    ["a <anchor></anchor>", "the <anchor> at character 2 has 0 characters before its </anchor>; it needs at least 1"],
  ])("refuses %s", (given, message) => expect(() => parseAnchorTags(given)).toThrow(new RangeError(message)));

  const pieces = fc
    .array(fc.constantFrom("<anchor>", "</anchor>", "\\", "a", " ", "<", "anchor>", "é"), { maxLength: 20 })
    .map((parts) => parts.join(""));
  it("come back from being escaped", () => {
    fc.assert(
      fc.property(pieces, (text) => {
        expect(parseAnchorTags(escapeAnchorTags(text))).toEqual({ text, spans: [] });
      }),
    );
  });

  it("give back what was put between them", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.string({ minLength: 1 })), { maxLength: 5 }), (parts) => {
        const tagged = parts.map(([before, inside]) => `${plain(before)}<anchor>${plain(inside)}</anchor>`).join("");
        const { text, spans } = parseAnchorTags(tagged);
        expect(text).toBe(parts.flat().map(plain).join(""));
        expect(spans.map(({ begin, end }) => text.slice(begin, end))).toEqual(parts.map(([, inside]) => plain(inside)));
      }),
    );
  });
});

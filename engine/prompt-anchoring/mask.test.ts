import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseStandIn, maskedRows, type MaskTokens, type StandIn } from "./mask.ts";

const names = ["<mask>", "<unk>", "<pad>", "a"];
const tokenizer = (ids: Partial<MaskTokens>): MaskTokens => ({
  maskTokenId: null,
  unkTokenId: null,
  padTokenId: null,
  idToToken: (id) => names[id],
  ...ids,
});
const sizes = { vocabSize: 4, dim: 2 };

describe("chooseStandIn", () => {
  it.each([
    [
      { maskTokenId: 0, unkTokenId: 1, padTokenId: 2 },
      0,
      'masked tokens are replaced by token 0 "<mask>": the tokenizer\'s mask token',
    ],
    [
      { unkTokenId: 1, padTokenId: 2 },
      1,
      'masked tokens are replaced by token 1 "<unk>": the tokenizer\'s unknown token, as it has no mask token',
    ],
    [
      { padTokenId: 2 },
      2,
      'masked tokens are replaced by token 2 "<pad>": the tokenizer\'s padding token, as it has neither a mask nor an unknown token',
    ],
    [
      {},
      3,
      'masked tokens are replaced by token 3 "a": named by the caller, as the tokenizer has no mask, unknown or padding token',
    ],
  ])("takes mask, unknown, padding, and the caller's token, in this order: %o", (ids, token, note) => {
    expect(chooseStandIn(tokenizer(ids), { ...sizes, fallbackToken: 3 })).toEqual({
      standIn: { kind: "token", token },
      note,
    });
  });

  it("takes what the caller chooses, whatever the tokenizer has", () => {
    const has = tokenizer({ maskTokenId: 0 });
    const choices: StandIn[] = [
      { kind: "token", token: 3 },
      { kind: "mean" },
      { kind: "zeros" },
      { kind: "vector", vector: [1, 2] },
    ];
    for (const standIn of choices) expect(chooseStandIn(has, { ...sizes, standIn }).standIn).toBe(standIn);
    expect(choices.map((standIn) => chooseStandIn(has, { ...sizes, standIn }).note)).toEqual([
      'masked tokens are replaced by token 3 "a": named by the caller',
      "masked tokens are replaced by the mean of the embedding matrix",
      "masked tokens are replaced by zeros",
      "masked tokens are replaced by the caller's vector of 2 numbers",
    ]);
  });

  it.each([
    [{}, "the tokenizer has no mask, unknown or padding token"],
    [{ standIn: { kind: "token", token: 4 } }, "token 4 cannot stand in for masked tokens: the vocabulary has 4"],
    [{ fallbackToken: 1.5 }, "token 1.5 cannot stand in for masked tokens"],
    [
      { standIn: { kind: "vector", vector: [1] } },
      "the vector that stands in has 1 numbers; the model's embeddings have 2",
    ],
    [{ standIn: { kind: "vector", vector: [1, NaN] } }, "number 1 of the vector that stands in is NaN"],
  ] as const)("refuses %o", (options, message) => {
    expect(() => chooseStandIn(null, { ...sizes, ...options })).toThrow(message);
  });
});

describe("maskedRows", () => {
  const ids = [10, 11, 12, 13, 14, 15];
  const token: StandIn = { kind: "token", token: 1 };
  const groups = [
    {
      tokens: [
        { begin: 4, end: 5 },
        { begin: 1, end: 3 },
      ],
    },
    { tokens: [{ begin: 0, end: 1 }] },
  ];

  it("replaces token by token", () => {
    expect(maskedRows(ids, groups, token)).toEqual([
      [10, 1, 1, 13, 1, 15],
      [1, 11, 12, 13, 14, 15],
    ]);
  });

  it("keeps the prompt's tokens under embeddings that are no token's", () => {
    expect(maskedRows(ids, groups, { kind: "mean" })[0]).toEqual(ids);
  });

  it("collapses spans if asked, which moves what follows", () => {
    expect(maskedRows(ids, groups, token, { collapse: true })[0]).toEqual([10, 1, 13, 1, 15]);
    const touching = [
      {
        tokens: [
          { begin: 0, end: 2 },
          { begin: 2, end: 4 },
          { begin: 3, end: 5 },
        ],
      },
    ];
    expect(maskedRows(ids, touching, token, { collapse: true })[0]).toEqual([1, 1, 15]);
  });

  it("gives rows of the prompt's length, masked exactly where the spans are", () => {
    const spans = fc.array(
      fc.tuple(fc.nat(9), fc.nat(9)).map(([a, b]) => ({ begin: Math.min(a, b), end: Math.max(a, b) + 1 })),
      { minLength: 1, maxLength: 4 },
    );
    const prompt = Array.from({ length: 10 }, (_, i) => 100 + i);
    fc.assert(
      fc.property(spans, (tokens) => {
        const [row] = maskedRows(prompt, [{ tokens }], token);
        const isMasked = (i: number): boolean => tokens.some(({ begin, end }) => begin <= i && i < end);
        expect(row).toEqual(prompt.map((id, i) => (isMasked(i) ? 1 : id)));
      }),
    );
  });

  it.each([
    [[], "group 0 masks 0 tokens; it needs at least 1"],
    [[{ begin: 2, end: 2 }], "group 0 masks tokens 2..2, which must be a range of the prompt's 6"],
    [[{ begin: 5, end: 7 }], "group 0 masks tokens 5..7, which must be a range of the prompt's 6"],
  ])("refuses %o", (tokens, message) => {
    expect(() => maskedRows(ids, [{ tokens }], token)).toThrow(new RangeError(message));
  });
});

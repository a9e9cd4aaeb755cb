import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes, END, FakeDecoder, gather, generateText, hashed, says, utf8 } from "../../tests/support/fake-decoder.ts";
import { collect, generate, type GenerateOptions, type Generation } from "./generate.ts";
import type { Piece } from "./rows.ts";

const PROMPT = [65];

async function say(text: string, options: GenerateOptions = {}): Promise<Generation> {
  const decoder = new FakeDecoder(says(text));
  const [row] = await generateText(decoder, utf8, [PROMPT], { endTokens: [END], ...options });
  expect(decoder.alive.size).toBe(0);
  return row!;
}

async function piecesOf(text: string, options: GenerateOptions = {}): Promise<Piece[]> {
  const decoder = new FakeDecoder(says(text));
  return gather(generate(decoder, utf8, [PROMPT], { endTokens: [END], ...options }));
}

async function* cutOff(): AsyncGenerator<Piece> {
  yield { text: "a", tokens: [97], promptIndex: 0, sampleIndex: 0 };
}

describe("when rows end", () => {
  it.each<[string, GenerateOptions, Omit<Generation, "promptIndex" | "sampleIndex">]>([
    ["an end token", {}, { text: "hello", tokens: [...bytes("hello"), END], finishReason: "stop-token" }],
    ["a stop token", { stopTokens: [108] }, { text: "he", tokens: bytes("hel"), finishReason: "stop-token" }],
    ["a stop string", { stop: "lo" }, { text: "hel", tokens: bytes("hello"), finishReason: "stop-string" }],
    ["a stop string at once", { stop: ["x", "h"] }, { text: "", tokens: [104], finishReason: "stop-string" }],
    ["maxTokens", { maxTokens: 3 }, { text: "hel", tokens: bytes("hel"), finishReason: "max-tokens" }],
    [
      "a predicate",
      { stopWhen: ({ text }) => text === "hell" },
      { text: "hell", tokens: bytes("hell"), finishReason: "predicate" },
    ],
    [
      "maxTokens in an open stop string",
      { stop: "lx", maxTokens: 3 },
      { text: "hel", tokens: bytes("hel"), finishReason: "max-tokens" },
    ],
    [
      "an end token in an open stop string",
      { stop: "o!" },
      { text: "hello", tokens: [...bytes("hello"), END], finishReason: "stop-token" },
    ],
    [
      "a stop string before maxTokens",
      { stop: "l", maxTokens: 3 },
      { text: "he", tokens: bytes("hel"), finishReason: "stop-string" },
    ],
    [
      "a predicate before maxTokens",
      { stopWhen: ({ tokens }) => tokens.length === 3, maxTokens: 3 },
      { text: "hel", tokens: bytes("hel"), finishReason: "predicate" },
    ],
    [
      "maxTokens if end tokens are ignored",
      { ignoreEndTokens: true, maxTokens: 7 },
      { text: "hello<end><end>", tokens: [...bytes("hello"), END, END], finishReason: "max-tokens" },
    ],
  ])("%s", async (_, options, wanted) => {
    expect(await say("hello", options)).toEqual({ promptIndex: 0, sampleIndex: 0, ...wanted });
  });

  it("the context is full: prompt and text fill it exactly", async () => {
    const decoder = new FakeDecoder(hashed, 10);
    const rows = await generateText(
      decoder,
      utf8,
      [
        [1, 2, 3],
        [1, 2, 3, 4, 5, 6, 7, 8, 9],
      ],
      { maxTokens: Infinity },
    );
    expect(rows.map((row) => [row.tokens.length, row.finishReason])).toEqual([
      [7, "context-full"],
      [1, "context-full"],
    ]);
    const [row] = await generateText(new FakeDecoder(hashed, 10), utf8, [[1, 2, 3]], { maxTokens: 7 });
    expect(row!.finishReason).toBe("max-tokens");
  });

  it("after 256 tokens by default", async () => {
    expect(await say("x".repeat(300))).toMatchObject({ text: "x".repeat(256), finishReason: "max-tokens" });
  });

  it("tells the predicate the whole text so far, what is held back included", async () => {
    const states: unknown[] = [];
    await say("a<b", {
      stop: "<end>",
      stopWhen: (state) => void states.push(structuredClone(state)) as unknown as boolean,
    });
    expect(states).toEqual([
      { text: "a", tokens: bytes("a"), promptIndex: 0, sampleIndex: 0 },
      { text: "a<", tokens: bytes("a<"), promptIndex: 0, sampleIndex: 0 },
      { text: "a<b", tokens: bytes("a<b"), promptIndex: 0, sampleIndex: 0 },
    ]);
  });
});

describe("pieces", () => {
  it("come one a token, the last with the reason", async () => {
    expect(await piecesOf("ab")).toEqual([
      { text: "a", tokens: [97], promptIndex: 0, sampleIndex: 0 },
      { text: "b", tokens: [98], promptIndex: 0, sampleIndex: 0 },
      { text: "", tokens: [END], promptIndex: 0, sampleIndex: 0, finishReason: "stop-token" },
    ]);
  });

  it("never split a character and keep the tokens of one together", async () => {
    const pieces = await piecesOf("é😀x", { logProbs: 0 });
    expect(pieces.map((piece) => [piece.text, piece.tokens.length])).toEqual([
      ["é", 2],
      ["😀", 4],
      ["x", 1],
      ["", 1],
    ]);
    expect(pieces.map((piece) => piece.logProbs?.map((each) => each.token))).toEqual(
      pieces.map((piece) => piece.tokens),
    );
  });

  it("flush half a character at the end", async () => {
    expect(await say("😀", { maxTokens: 3 })).toMatchObject({ text: "\ufffd", tokens: bytes("😀").slice(0, 3) });
    expect(await say("😀", { maxTokens: 3, stop: "\ufffd" })).toMatchObject({ text: "", finishReason: "stop-string" });
  });

  it("join to the text and the tokens, whatever is held back", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: fc.constantFrom("a", "b", "é", "😀"), maxLength: 20 }),
        fc.array(fc.string({ unit: fc.constantFrom("a", "b", "é", "😀"), minLength: 1, maxLength: 3 }), {
          maxLength: 2,
        }),
        async (text, stop) => {
          const pieces = await piecesOf(text, { stop });
          const shown = pieces.map((piece) => piece.text).join("");
          const tokens = pieces.flatMap((piece) => piece.tokens);
          const all = [...bytes(text), END];
          expect(tokens).toEqual(all.slice(0, tokens.length));
          expect(text.startsWith(shown)).toBe(true);
          expect(stop.some((each) => shown.includes(each))).toBe(false);
          const met = stop.some((each) => text.includes(each));
          expect(shown === text).toBe(!met);
          expect(pieces.map((piece) => piece.finishReason).filter((reason) => reason !== undefined)).toEqual([
            met ? "stop-string" : "stop-token",
          ]);
          expect(pieces.slice(0, -1).every((piece) => piece.text !== "")).toBe(true);
        },
      ),
    );
  });

  it("cannot be collected when they are cut off", async () => {
    await expect(collect(cutOff())).rejects.toThrow("the pieces end before row 0.0 does");
  });
});

// What the Rust library `tokenizers` 0.23.3 gives for parts of a tokenizer.json that were made up at random (reference-vectors.json).

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readDecoder } from "./decoders.ts";
import { normalizeInTurns } from "./normalize-in-turns.ts";
import { readNormalizer, toBytes } from "./normalizers.ts";
import { wholePiece, type Piece } from "./pieces.ts";
import { readPreTokenizer } from "./pre-tokenizers.ts";
import { finish } from "../work.ts";

type Vector<Given, Made> = readonly [part: unknown, given: Given, made: Made];

const vectors = JSON.parse(readFileSync(new URL("reference-vectors.json", import.meta.url), "utf8")) as {
  readonly normalizers: readonly Vector<string, string>[];
  readonly preTokenizers: readonly Vector<string, readonly string[]>[];
  readonly decoders: readonly Vector<readonly string[], string>[];
};

const named = <T extends readonly unknown[]>(all: readonly T[]): [string, ...T][] =>
  all.map((vector, i) => [`${i} ${JSON.stringify(vector[0]).slice(0, 80)}`, ...vector]);

describe("normalizers", () => {
  it.each(named(vectors.normalizers))("%s", async (_name, part, text, made) => {
    const normalizer = await readNormalizer(part);
    expect(normalizer(wholePiece(text)).text).toBe(made);
    // In parts: as a whole, places included.
    for (const length of [1, 3, 8]) {
      expect(finish(normalizeInTurns(normalizer, wholePiece(text), length))).toEqual(normalizer(wholePiece(text)));
    }
  });
});

describe("pre-tokenizers", () => {
  it.each(named(vectors.preTokenizers))("%s", async (_name, part, text, made) => {
    const { steps, endsInBytes } = await readPreTokenizer(part);
    let pieces: readonly Piece[] = [wholePiece(text)];
    for (const step of steps) pieces = [...step(pieces)].flatMap((few) => few ?? []);
    expect(pieces.map((piece) => (endsInBytes ? toBytes(piece) : piece).text)).toEqual(made);
  });
});

describe("decoders", () => {
  it.each(named(vectors.decoders))("%s", (_name, part, tokens, text) => {
    const run = readDecoder(part).start();
    expect(tokens.flatMap((token) => run.push(token)).join("") + run.end().join("")).toBe(text);
  });
});

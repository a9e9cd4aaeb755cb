// A decoder for tests: any function of the tokens so far as its model, text as bytes, and an error for every misuse of the
// interface (a closed sequence, one fed twice in a step, an empty feed, a context that overflows).

import type { Decoder, DecoderSequence, Feed } from "../../engine/generate/decoder.ts";
import { collect, generate, type GenerateOptions, type Generation } from "../../engine/generate/generate.ts";
import type { Piece, MakeTextStream, TextStream } from "../../engine/generate/rows.ts";

/** The end token: the last of the vocabulary, whose others are the 256 bytes of UTF-8. */
export const END = 256;
/** The size of the vocabulary. */
export const VOCAB = 257;

/** Logits [VOCAB] after a history of tokens. */
export type Model = (history: readonly number[]) => Float32Array;

/** Any history gives its own logits, between -4 and 4: a mistake in feeding rows shows at once. */
export function hashed(history: readonly number[]): Float32Array {
  let h = 7;
  for (const token of history) h = Math.imul(h ^ (token + 1), 0x01000193) ^ (h >>> 13);
  return Float32Array.from({ length: VOCAB }, (_, token) => {
    const mixed = Math.imul(h ^ (token * 0x9e3779b1), 0x85ebca6b);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 29 - 4;
  });
}

/** After a prompt of 1 token says this text, then the end token, whatever else it is made to say meanwhile. */
export function says(text: string): Model {
  const tokens = [...bytes(text), END];
  return (history) => {
    const logits = new Float32Array(VOCAB);
    logits[tokens[history.length - 1] ?? END] = 10;
    return logits;
  };
}

interface FakeSequence extends DecoderSequence {
  readonly history: number[];
}

/** A decoder over a model that notices every misuse of the interface. */
export class FakeDecoder implements Decoder {
  readonly vocabSize = VOCAB;
  readonly contextLength: number;
  /** sequences that have been opened or forked and not closed */
  readonly alive = new Set<FakeSequence>();
  /** rows of each call: the prefill first */
  readonly batches: number[] = [];
  readonly calls = { logits: 0, greedy: 0, open: 0, fork: 0, fedTokens: 0 };
  /** makes the n-th call of a method throw, counted from 1 */
  failAt: { readonly method: "open" | "fork"; readonly call: number; readonly failure: Error } | undefined;
  /** called before every step's work */
  onStep: (step: number, signal: AbortSignal | undefined) => void | Promise<void> = () => {};
  readonly #model: Model;

  constructor(model: Model, contextLength = 1000) {
    this.#model = model;
    this.contextLength = contextLength;
  }

  #add(history: number[]): FakeSequence {
    const sequence = {
      history,
      get length() {
        return history.length;
      },
    };
    this.alive.add(sequence);
    return sequence;
  }

  #own(sequence: DecoderSequence): FakeSequence {
    for (const each of this.alive) if (each === sequence) return each;
    throw new Error("a sequence is used that is closed or of another decoder");
  }

  #count(method: "open" | "fork"): void {
    this.calls[method]++;
    if (this.failAt?.method === method && this.failAt.call === this.calls[method]) throw this.failAt.failure;
  }

  open(): FakeSequence {
    this.#count("open");
    return this.#add([]);
  }

  fork(sequence: DecoderSequence): FakeSequence {
    this.#count("fork");
    return this.#add([...this.#own(sequence).history]);
  }

  close(sequence: DecoderSequence): void {
    this.alive.delete(this.#own(sequence));
  }

  async #step(feeds: readonly Feed[], signal: AbortSignal | undefined): Promise<Float32Array[]> {
    if (feeds.length === 0) throw new Error("a step without feeds");
    if (new Set(feeds.map((feed) => feed.sequence)).size < feeds.length) throw new Error("a sequence is fed twice");
    await this.onStep(this.batches.length, signal);
    this.batches.push(feeds.length);
    return feeds.map(({ sequence, tokens }) => {
      const { history } = this.#own(sequence);
      if (tokens.length === 0) throw new Error("an empty feed");
      history.push(...tokens);
      this.calls.fedTokens += tokens.length;
      if (history.length > this.contextLength) throw new Error("the context overflows");
      return this.#model(history);
    });
  }

  logits(feeds: readonly Feed[], signal?: AbortSignal): Promise<Float32Array[]> {
    this.calls.logits++;
    return this.#step(feeds, signal);
  }

  async greedy(feeds: readonly Feed[], signal?: AbortSignal): Promise<Uint32Array> {
    this.calls.greedy++;
    const rows = await this.#step(feeds, signal);
    return Uint32Array.from(rows, (logits) => logits.indexOf(Math.max(...logits)));
  }
}

/** Bytes to characters as they become whole. The end token has a text, to see whether it leaks. */
export function utf8(): TextStream {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    push: (token) => (token === END ? "<end>" : decoder.decode(Uint8Array.of(token), { stream: true })),
    finish: () => decoder.decode(),
  };
}

/** All pieces of a run. */
export async function gather(pieces: AsyncIterable<Piece>): Promise<Piece[]> {
  const all: Piece[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

/** The tokens of a text, without an end token. */
export function bytes(text: string): number[] {
  return [...new TextEncoder().encode(text)];
}

/** `generate`, all at once: one result for each sample of each prompt, in that order. */
export async function generateText(
  decoder: Decoder,
  textOf: MakeTextStream,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions = {},
): Promise<Generation[]> {
  return collect(generate(decoder, textOf, prompts, options));
}

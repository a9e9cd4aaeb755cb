// A conversation. The whole of it is put through the chat template at each turn; of the tokens that come out, those that are
// already in the cache are not computed again.

import type { ChatMessage, ChatOptions, Tokenizer } from "../../loaders/index.ts";
import type { Decoder, DecoderSequence } from "../generate/decoder.ts";
import { generate, type GenerateOptions } from "../generate/generate.ts";
import type { Piece, TextOf } from "../generate/rows.ts";

/** A conversation with a model. Dispose of it to free its keys and values. */
export class ChatSession implements Disposable {
  readonly messages: ChatMessage[] = [];
  readonly #decoder: Decoder;
  readonly #tokenizer: Tokenizer;
  readonly #textOf: TextOf;
  readonly #endTokenIds: readonly number[];
  readonly #template: ChatOptions;
  /** the turns so far, in the cache */
  #sequence: DecoderSequence;
  #cached: number[] = [];

  /** Use `model.chat()`. */
  constructor(
    decoder: Decoder,
    tokenizer: Tokenizer,
    textOf: TextOf,
    endTokenIds: readonly number[],
    options: ChatOptions & { readonly system?: string },
  ) {
    const { system, ...template } = options;
    this.#decoder = decoder;
    this.#tokenizer = tokenizer;
    this.#textOf = textOf;
    this.#endTokenIds = endTokenIds;
    this.#template = template;
    this.#sequence = decoder.open();
    if (system !== undefined) this.messages.push({ role: "system", content: system });
  }

  /** Tokens of the conversation that are in the cache. */
  get cachedTokens(): number {
    return this.#cached.length;
  }

  /** Says something and streams the answer, which becomes part of the conversation. An aborted turn is taken back. */
  async *say(content: string, options: GenerateOptions = {}): AsyncGenerator<Piece, void, undefined> {
    const turn: ChatMessage = { role: "user", content };
    const text = this.#tokenizer.applyChatTemplate([...this.messages, turn], {
      ...this.#template,
      addGenerationPrompt: true,
    });
    const tokens = this.#tokenizer.encode(text, { addSpecialTokens: false });
    const answer: string[] = [];
    const turnOptions = { endTokens: this.#endTokenIds, ...options, samples: 1 };
    const kept = await this.#feedAllButLast(tokens, options.signal);
    for await (const piece of generate(this.#continuing(kept), this.#textOf, [tokens], turnOptions)) {
      answer.push(piece.text);
      yield piece;
    }
    this.messages.push(turn, { role: "assistant", content: answer.join("") });
  }

  /** Frees the conversation's keys and values. */
  dispose(): void {
    this.#decoder.close(this.#sequence);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Brings the kept sequence to all but the last of these tokens; it starts anew where they differ from what it holds. */
  async #feedAllButLast(tokens: readonly number[], signal: AbortSignal | undefined): Promise<number> {
    const shared = this.#cached.findIndex((token, i) => token !== tokens[i]);
    if (shared >= 0 || this.#cached.length >= tokens.length) this.#restart();
    const fresh = tokens.slice(this.#cached.length, tokens.length - 1);
    if (fresh.length > 0) {
      try {
        await this.#decoder.greedy([{ sequence: this.#sequence, tokens: fresh }], signal);
      } catch (error) {
        this.#restart();
        throw error;
      }
      this.#cached.push(...fresh);
    }
    return this.#cached.length;
  }

  #restart(): void {
    this.#decoder.close(this.#sequence);
    this.#sequence = this.#decoder.open();
    this.#cached = [];
  }

  /** The decoder, but the first sequence opened is a fork of the conversation, and is fed only what it lacks. */
  #continuing(kept: number): Decoder {
    const decoder = this.#decoder;
    const skip = new WeakMap<DecoderSequence, number>();
    const lacking = (feeds: Parameters<Decoder["logits"]>[0]) =>
      feeds.map(({ sequence, tokens }) => {
        const rest = tokens.slice(skip.get(sequence) ?? 0);
        skip.delete(sequence);
        return { sequence, tokens: rest };
      });
    return {
      vocabSize: decoder.vocabSize,
      contextLength: decoder.contextLength,
      open: () => {
        const sequence = decoder.fork(this.#sequence);
        skip.set(sequence, kept);
        return sequence;
      },
      fork: (sequence) => decoder.fork(sequence),
      close: (sequence) => decoder.close(sequence),
      logits: (feeds, signal) => decoder.logits(lacking(feeds), signal),
      greedy: (feeds, signal) => decoder.greedy(lacking(feeds), signal),
      ...(decoder.largest && {
        largest: (feeds, choice, signal) => decoder.largest!(lacking(feeds), choice, signal),
      }),
      ...(decoder.greedyRun && {
        greedyRun: (feeds, steps, signal) => decoder.greedyRun!(lacking(feeds), steps, signal),
      }),
    };
  }
}

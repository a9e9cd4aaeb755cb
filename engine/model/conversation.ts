// The turns of a conversation, one at a time: each renders all messages with the chat template and feeds what the cache lacks. Loaded with
// the first turn.

import type { ChatMessage, ChatOptions, Tokenizer } from "../../loaders/index.ts";
import type { WatchableDecoder } from "../generate/decoder.ts";
import type { Piece } from "../generate/rows.ts";
import type { PromptWithAnchors } from "../prompt-anchoring/plan.ts";
import { ConversationCache } from "./conversation-cache.ts";
import { fitMessages, type FullContext } from "./fit-messages.ts";
import type { TurnOptions } from "./model-options.ts";
import type { Turns } from "./turns.ts";

/** The parts of a model that a conversation needs. */
export interface ChatHost {
  readonly tokenizer: Tokenizer;
  readonly decoder: WatchableDecoder;
  generate(
    decoder: WatchableDecoder,
    prompt: PromptWithAnchors,
    options: TurnOptions,
    template: ChatOptions,
  ): AsyncGenerator<Piece, void, undefined>;
}

/** What the turns of a conversation share. */
export interface ConversationParts {
  readonly host: ChatHost;
  readonly template: ChatOptions;
  readonly whenFull: FullContext;
  /** grows with each turn */
  readonly messages: ChatMessage[];
  readonly turns: Turns;
  /** throws once the conversation was disposed of */
  readonly throwIfDisposed: () => void;
}

/** The turns of a conversation, and the keys that the cache holds of them. */
export class Conversation {
  readonly #parts: ConversationParts;
  readonly #cache: ConversationCache;
  #readTokens = 0;
  #isDisposed = false;

  constructor(parts: ConversationParts, cache = new ConversationCache(parts.host.decoder)) {
    this.#parts = parts;
    this.#cache = cache;
  }

  /** Tokens of the conversation that are in the cache. */
  get cachedTokens(): number {
    return this.#cache.length;
  }

  /** Tokens of the last turn's prompt that were not in the cache; 0 before the first. */
  get readTokens(): number {
    return this.#readTokens;
  }

  /** A conversation with the same past; `parts` are its own. */
  fork(parts: ConversationParts): Conversation {
    return new Conversation(parts, this.#cache.fork());
  }

  /** Frees the keys and values. */
  dispose(): void {
    this.#isDisposed = true;
    this.#cache.dispose();
  }

  /** Takes a turn: see `ChatSession.stream`. */
  async *answer(content: string, options: TurnOptions): AsyncGenerator<Piece, void, undefined> {
    const { host, template, whenFull, messages: all } = this.#parts;
    const isPlain = !options.anchoring && !options.contrast;
    const said = isPlain ? content : (await import("../prompt-anchoring/tags.ts")).parseAnchorTags(content).text;
    this.#parts.throwIfDisposed();
    const turn: ChatMessage = { role: "user", content: said };
    const { messages, tokens } = await fitMessages(host, [...all, turn], {
      template,
      whenFull,
      maxTokens: options.maxTokens,
      signal: options.signal,
    });
    this.#parts.throwIfDisposed();
    const cache = this.#cache;
    const prompt = isPlain ? tokens : [...messages.slice(0, -1), { role: "user", content }];
    const decoder = isPlain ? cache.continuing() : cache.forking();
    this.#readTokens = tokens.length - (isPlain ? cache.sharedWith(tokens) : 0);
    const answer: Piece[] = [];
    let hasFailed = false;
    try {
      for await (const piece of host.generate(decoder, { prompt }, this.#guarded(options), template)) {
        answer.push(piece);
        const resume = this.#parts.turns.paused("the reader of the answer before");
        try {
          yield piece;
        } finally {
          resume();
        }
        this.#parts.throwIfDisposed();
      }
    } catch (error) {
      // An abort comes between steps: the tokens that were fed are in the cache. After another error they may not be.
      hasFailed = !(options.signal?.aborted === true && error === options.signal.reason);
      throw error;
    } finally {
      if (!this.#isDisposed) {
        if (isPlain && hasFailed) cache.restart();
        else if (isPlain) cache.remember([...tokens, ...answer.flatMap((piece) => piece.tokens)]);
        if (!hasFailed && answer.length > 0) {
          all.push(turn, { role: "assistant", content: answer.map(({ text }) => text).join("") });
        }
      }
    }
  }

  /** The options with a hook that is refused this conversation's turns. */
  #guarded(options: TurnOptions): TurnOptions {
    const { logitsHook } = options;
    if (!logitsHook) return options;
    const guarded: typeof logitsHook = (...args) =>
      this.#parts.turns.call("the logits hook", () => logitsHook(...args));
    return { ...options, logitsHook: guarded };
  }
}

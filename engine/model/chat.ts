// A conversation. Each turn renders all messages with the chat template; tokens that the cache holds from earlier turns are not
// computed again (see conversation-cache.ts).
//
// Turns run one at a time: a turn that starts while another is running waits for it.

import type { ChatMessage, ChatOptions, Tokenizer } from "../../loaders/index.ts";
import type { WatchableDecoder } from "../generate/decoder.ts";
import type { Piece } from "../generate/rows.ts";
import type { PromptWithAnchors } from "../prompt-anchoring/plan.ts";
import type { ConversationCache } from "./conversation-cache.ts";
import type { FullContext } from "./fit-messages.ts";
import type { TurnOptions } from "./model-options.ts";
import { Turns } from "./turns.ts";

/** Options of a conversation: its first messages and the chat template's. */
export interface ChatSessionOptions extends ChatOptions {
  /** the system message; not together with one in `messages` */
  readonly system?: string | undefined;
  /** earlier messages */
  readonly messages?: readonly ChatMessage[] | undefined;
  /** "refuse" by default */
  readonly whenFull?: FullContext | undefined;
}

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

/** A conversation with a model. Dispose of it to free its keys and values. */
export class ChatSession implements Disposable {
  readonly #host: ChatHost;
  readonly #template: ChatOptions;
  readonly #whenFull: FullContext;
  readonly #messages: ChatMessage[];
  /** made by the first turn */
  #cache: ConversationCache | undefined;
  readonly #turns = new Turns("conversation");
  #readTokens = 0;
  #isDisposed = false;

  /** Use `model.chat()`. */
  constructor(
    host: ChatHost,
    { system, messages = [], whenFull = "refuse", ...template }: ChatSessionOptions,
    cache?: ConversationCache,
  ) {
    if (system !== undefined && messages[0]?.role === "system") {
      throw new RangeError("the system's message was given twice: as `system` and as the first of `messages`");
    }
    this.#host = host;
    this.#template = template;
    this.#whenFull = whenFull;
    this.#cache = cache;
    this.#messages = [...(system === undefined ? [] : [{ role: "system", content: system }]), ...messages];
  }

  /** The messages so far; a stopped answer is included up to where it stopped. */
  get messages(): readonly ChatMessage[] {
    return this.#messages;
  }

  /** Tokens of the conversation that are in the cache. */
  get cachedTokens(): number {
    return this.#cache?.length ?? 0;
  }

  /** Tokens of the last turn's prompt that were not in the cache; 0 before the first. */
  get readTokens(): number {
    return this.#readTokens;
  }

  /** Sends a user message and resolves with the whole answer. Throws as {@link stream} does. */
  async prompt(content: string, options: TurnOptions = {}): Promise<string> {
    let answer = "";
    for await (const { text } of this.stream(content, options)) answer += text;
    return answer;
  }

  /**
   * Sends a user message and streams the answer; both become part of the conversation. Ending the iteration early, or the signal,
   * stops the answer; the text written so far stays. A turn without any text, or one that fails, is removed from the conversation.
   * `anchoring` anchors tags in `content` and the given anchors; the whole prompt is then decoded in sequences of its own.
   *
   * Throws a RangeError if the conversation does not fit the context (see `whenFull`), a TypeError if it was disposed of, if a hook
   * of a turn asks for another or if an earlier answer has been left unread for 10 s, and what `generate` throws.
   */
  async *stream(content: string, options: TurnOptions = {}): AsyncGenerator<Piece, void, undefined> {
    const end = await this.#turns.enter(options.signal);
    try {
      options.signal?.throwIfAborted();
      yield* this.#answer(content, options);
    } finally {
      end();
    }
  }

  /** Opens a second conversation with the same past. Keys are shared until one of the two changes. */
  fork(): ChatSession {
    this.#checkAlive();
    const options = { ...this.#template, messages: this.#messages, whenFull: this.#whenFull };
    return new ChatSession(this.#host, options, this.#cache?.fork());
  }

  /** Frees the conversation's keys and values. A later turn throws a TypeError. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#cache?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async *#answer(content: string, options: TurnOptions): AsyncGenerator<Piece, void, undefined> {
    this.#checkAlive();
    const isPlain = !options.anchoring && !options.contrast;
    const said = isPlain ? content : (await import("../prompt-anchoring/tags.ts")).parseAnchorTags(content).text;
    const turn: ChatMessage = { role: "user", content: said };
    const [{ ConversationCache }, { fitMessages }] = await Promise.all([
      import("./conversation-cache.ts"),
      import("./fit-messages.ts"),
    ]);
    this.#checkAlive();
    const { messages, tokens } = fitMessages(this.#host, [...this.#messages, turn], {
      template: this.#template,
      whenFull: this.#whenFull,
      maxTokens: options.maxTokens,
    });
    const cache = (this.#cache ??= new ConversationCache(this.#host.decoder));
    const prompt = isPlain ? tokens : [...messages.slice(0, -1), { role: "user", content }];
    const decoder = isPlain ? cache.continuing() : cache.forking();
    this.#readTokens = tokens.length - (isPlain ? cache.sharedWith(tokens) : 0);
    const answer: Piece[] = [];
    let hasFailed = false;
    try {
      for await (const piece of this.#host.generate(decoder, { prompt }, this.#guarded(options), this.#template)) {
        answer.push(piece);
        const resume = this.#turns.paused("the reader of the answer before");
        try {
          yield piece;
        } finally {
          resume();
        }
        this.#checkAlive();
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
          this.#messages.push(turn, { role: "assistant", content: answer.map(({ text }) => text).join("") });
        }
      }
    }
  }

  /** The options with a hook that is refused this conversation's turns. */
  #guarded(options: TurnOptions): TurnOptions {
    const { logitsHook } = options;
    if (!logitsHook) return options;
    const guarded: typeof logitsHook = (...args) => this.#turns.call("the logits hook", () => logitsHook(...args));
    return { ...options, logitsHook: guarded };
  }

  #checkAlive(): void {
    if (this.#isDisposed) throw new TypeError("this conversation was disposed of: begin another with model.chat()");
  }
}

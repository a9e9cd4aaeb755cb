// A conversation. Each turn renders all messages with the chat template; tokens that the cache holds from earlier turns are not
// computed again (see conversation.ts).
//
// Turns run one at a time: a turn that starts while another is running waits for it.

import type { ChatMessage, ChatOptions } from "../../loaders/index.ts";
import type { Piece } from "../generate/rows.ts";
import type { ChatHost, Conversation, ConversationParts } from "./conversation.ts";
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

/** A conversation with a model. Dispose of it to free its keys and values. */
export class ChatSession implements Disposable {
  readonly #parts: ConversationParts;
  /** made by the first turn */
  #conversation: Conversation | undefined;
  #isDisposed = false;

  /** Use `model.chat()`. */
  constructor(
    host: ChatHost,
    { system, messages = [], whenFull = "refuse", ...template }: ChatSessionOptions,
    past?: Conversation,
  ) {
    if (system !== undefined && messages[0]?.role === "system") {
      throw new RangeError("the system's message was given twice: as `system` and as the first of `messages`");
    }
    this.#parts = {
      host,
      template,
      whenFull,
      messages: [...(system === undefined ? [] : [{ role: "system", content: system }]), ...messages],
      turns: new Turns("conversation"),
      throwIfDisposed: () => this.#throwIfDisposed(),
    };
    this.#conversation = past?.fork(this.#parts);
  }

  /** The messages so far; a stopped answer is included up to where it stopped. */
  get messages(): readonly ChatMessage[] {
    return this.#parts.messages;
  }

  /** Tokens of the conversation that are in the cache. */
  get cachedTokens(): number {
    return this.#conversation?.cachedTokens ?? 0;
  }

  /** Tokens of the last turn's prompt that were not in the cache; 0 before the first. */
  get readTokens(): number {
    return this.#conversation?.readTokens ?? 0;
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
    const end = await this.#parts.turns.enter(options.signal);
    try {
      options.signal?.throwIfAborted();
      this.#throwIfDisposed();
      const { Conversation } = await import("./conversation.ts");
      this.#throwIfDisposed();
      this.#conversation ??= new Conversation(this.#parts);
      yield* this.#conversation.answer(content, options);
    } finally {
      end();
    }
  }

  /** Opens a second conversation with the same past. Keys are shared until one of the two changes. */
  fork(): ChatSession {
    this.#throwIfDisposed();
    const { host, template, messages, whenFull } = this.#parts;
    return new ChatSession(host, { ...template, messages, whenFull }, this.#conversation);
  }

  /** Frees the conversation's keys and values. A later turn throws a TypeError. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#conversation?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #throwIfDisposed(): void {
    if (this.#isDisposed) throw new TypeError("this conversation was disposed of: begin another with model.chat()");
  }
}

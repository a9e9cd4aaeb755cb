// A full context: which messages of a conversation a turn is answered from.

import type { ChatMessage, ChatOptions, Tokenizer } from "../../loaders/index.ts";
import type { Decoder } from "../generate/decoder.ts";
import { encodeText } from "../generate/prompt-tokens.ts";

/** The action when the messages no longer fit the context. */
export type FullContext =
  /** the turn is refused with a RangeError */
  | "refuse"
  /** the oldest messages except the system's are left out until a quarter of the context (or `maxTokens`, if fewer) is free */
  | "drop-oldest";

/** How messages are fitted. */
export interface FitOptions {
  readonly template: ChatOptions;
  readonly whenFull: FullContext;
  /** most tokens of the answer */
  readonly maxTokens?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Returns the messages that fit the context and leave room for an answer, and their tokens. With "drop-oldest" whole turns are left
 * out, the oldest first; a first message of the system and the last message stay. Throws a RangeError if they do not fit.
 */
export async function fitMessages(
  {
    tokenizer,
    decoder: { contextLength },
  }: { readonly tokenizer: Tokenizer; readonly decoder: Pick<Decoder, "contextLength"> },
  messages: readonly ChatMessage[],
  { template, whenFull, maxTokens = Infinity, signal }: FitOptions,
): Promise<{ readonly messages: readonly ChatMessage[]; readonly tokens: readonly number[] }> {
  const room = whenFull === "refuse" ? 1 : Math.max(1, Math.min(maxTokens, Math.floor(contextLength / 4)));
  const system = messages.slice(0, messages[0]?.role === "system" ? 1 : 0);
  const said = messages.slice(system.length);
  for (let first = 0; ;) {
    const kept = [...system, ...said.slice(first)];
    const text = tokenizer.applyChatTemplate(kept, { ...template, addGenerationPrompt: true });
    const tokens = await encodeText(tokenizer, text, { addSpecialTokens: false }, signal);
    if (tokens.length + room <= contextLength) return { messages: kept, tokens };
    if (whenFull === "refuse" || first >= said.length - 1) {
      throw new RangeError(
        `the conversation has ${tokens.length} tokens and leaves no room in a context of ${contextLength}: ` +
          (first > 0 ? "say less" : 'begin a new one, or use whenFull: "drop-oldest"'),
      );
    }
    do first++;
    while (first < said.length - 1 && said[first]!.role !== "user");
  }
}

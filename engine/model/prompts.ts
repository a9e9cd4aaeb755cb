// Prompts as callers give them.

import type { AnchoredMessage } from "../prompt-anchoring/chat-anchors.ts";
import type { PromptWithAnchors } from "../prompt-anchoring/plan.ts";

/** A prompt: text, tokens, or the messages of a chat. */
export type Prompt = string | readonly number[] | readonly AnchoredMessage[];

/** A prompt with its own anchors, if it comes with any. */
export function promptOf(prompt: Prompt | PromptWithAnchors): PromptWithAnchors {
  return typeof prompt === "object" && "prompt" in prompt ? prompt : { prompt };
}

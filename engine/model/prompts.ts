// Prompts as callers give them.

import type { AnchoredMessage } from "../prompt-anchoring/chat-anchors.ts";
import type { PromptWithAnchors } from "../prompt-anchoring/plan.ts";
import type { ModelGenerateOptions } from "./model-options.ts";

/** A prompt: text, tokens, or the messages of a chat. */
export type Prompt = string | readonly number[] | readonly AnchoredMessage[];

/** A prompt of a batch, with options in place of the batch's. */
export interface BatchPrompt extends PromptWithAnchors {
  readonly options?: Omit<ModelGenerateOptions, "signal"> | undefined;
}

/** A prompt with its own anchors, if it comes with any. */
export function promptOf(prompt: Prompt | BatchPrompt): BatchPrompt {
  return typeof prompt === "object" && "prompt" in prompt ? prompt : { prompt };
}

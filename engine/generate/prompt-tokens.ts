// Prompts come as text, tokens or messages; this tells lists of tokens from lists of messages.

/** True for a list of tokens; an empty list is one. */
export function isTokens(prompt: readonly number[] | readonly object[]): prompt is readonly number[] {
  return prompt.every((item) => typeof item === "number");
}

// Tokens as clients read them: text where their bytes are whole characters, `bytes:\xe2\x80` where they are not, as OpenAI has it.

import type { Tokenizer } from "kedge/loaders";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a token. A model without a tokenizer has numbers for it. */
export function tokenText(tokenizer: Tokenizer | null, token: number): string {
  if (!tokenizer) return String(token);
  const bytes = tokenizer.tokenBytes(token);
  try {
    return utf8.decode(bytes);
  } catch {
    return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}`;
  }
}

/** The bytes of a token; null without a tokenizer. */
export function tokenBytes(tokenizer: Tokenizer | null, token: number): readonly number[] | null {
  return tokenizer ? Array.from(tokenizer.tokenBytes(token)) : null;
}

// Tokens of a sequence that a step appends.

import type { CachedSequence } from "../cache/sequence.ts";

/** Tokens that a step appends to a sequence. */
export interface Part {
  readonly sequence: CachedSequence;
  readonly tokens: readonly number[];
}

/** The rows of a step of these parts. */
export function rowsOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { tokens }) => sum + tokens.length, 0);
}

/** What the store confirms of a step of these parts. */
export function appendedOf(parts: readonly Part[]) {
  return parts.map(({ sequence, tokens }) => ({ sequence: sequence.stored, tokens: tokens.length }));
}

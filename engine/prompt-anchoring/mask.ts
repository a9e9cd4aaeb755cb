// Masked rows: the prompt with the anchored tokens of one group replaced, one row per group. The replacement of a token is an embedding,
// described here and looked up by the engine. Learned positions are still added to it.
//
// Invariant: a row has the prompt's length and positions, unless `collapse` is asked for; generated tokens are appended to it
// unchanged.

import type { Tokenizer } from "../../loaders/index.ts";
import { mergeSpans, type Span } from "./spans.ts";

/**
 * The embedding in place of a masked token's: that of a token, the mean of the embedding matrix, zeros, or a vector [dim].
 */
export type StandIn =
  | { readonly kind: "token"; readonly token: number }
  | { readonly kind: "mean" }
  | { readonly kind: "zeros" }
  | { readonly kind: "vector"; readonly vector: ArrayLike<number> };

/** A stand-in, and one sentence that says which it is. */
export interface ChosenStandIn {
  readonly standIn: StandIn;
  readonly note: string;
}

/** Options of {@link chooseStandIn}. */
export interface StandInOptions {
  /** the caller's choice; by default a token of the tokenizer */
  readonly standIn?: StandIn | undefined;
  /** a token for a tokenizer that has no mask, unknown or padding token */
  readonly fallbackToken?: number | undefined;
  /** tokens must be below it */
  readonly vocabSize: number;
  /** numbers in a vector */
  readonly dim: number;
}

/** The tokens of a tokenizer that can stand in. */
export type MaskTokens = Pick<Tokenizer, "maskTokenId" | "unkTokenId" | "padTokenId" | "idToToken">;

/**
 * What stands in for masked tokens: the caller's choice, else the tokenizer's mask token, else its unknown, else its padding
 * token, else `fallbackToken`. Throws RangeError if there is none of these, for a token outside the vocabulary and for a
 * vector of another length or with a number that is not finite.
 */
export function chooseStandIn(tokenizer: MaskTokens | null, options: StandInOptions): ChosenStandIn {
  const { standIn, fallbackToken, vocabSize, dim } = options;
  const named = (token: number): string => {
    if (!(Number.isInteger(token) && token >= 0 && token < vocabSize)) {
      throw new RangeError(`token ${token} cannot stand in for masked tokens: the vocabulary has ${vocabSize}`);
    }
    const text = tokenizer?.idToToken(token);
    return text === undefined ? `token ${token}` : `token ${token} ${JSON.stringify(text)}`;
  };
  if (standIn) return { standIn, note: noteOf(standIn, named, dim) };
  const candidates = [
    ["the tokenizer's mask token", tokenizer?.maskTokenId],
    ["the tokenizer's unknown token, as it has no mask token", tokenizer?.unkTokenId],
    ["the tokenizer's padding token, as it has neither a mask nor an unknown token", tokenizer?.padTokenId],
    ["named by the caller, as the tokenizer has no mask, unknown or padding token", fallbackToken],
  ] as const;
  for (const [origin, token] of candidates) {
    if (token === null || token === undefined) continue;
    const note = `masked tokens are replaced by ${named(token)}: ${origin}`;
    return { standIn: { kind: "token", token }, note };
  }
  throw new RangeError(
    "the tokenizer has no mask, unknown or padding token: name a token to stand in for masked ones, or use the mean embedding or zeros",
  );
}

function noteOf(standIn: StandIn, named: (token: number) => string, dim: number): string {
  switch (standIn.kind) {
    case "token":
      return `masked tokens are replaced by ${named(standIn.token)}: named by the caller`;
    case "mean":
      return "masked tokens are replaced by the mean of the embedding matrix";
    case "zeros":
      return "masked tokens are replaced by zeros";
    case "vector": {
      const { vector } = standIn;
      if (vector.length !== dim) {
        throw new RangeError(
          `the vector that stands in has ${vector.length} numbers; the model's embeddings have ${dim}`,
        );
      }
      const bad = Array.from(vector).findIndex((value) => !Number.isFinite(value));
      if (bad >= 0)
        throw new RangeError(`number ${bad} of the vector that stands in is ${vector[bad]}: it must be finite`);
      return `masked tokens are replaced by the caller's vector of ${dim} numbers`;
    }
    default:
      standIn satisfies never;
      throw new RangeError(`there is no stand-in ${JSON.stringify(standIn)}: use a token, mean, zeros or a vector`);
  }
}

/** Options of {@link maskedRows}. */
export interface MaskOptions {
  /**
   * Replace each span by a single stand-in instead of one per token, as the paper's first code did. The row is then shorter
   * than the prompt, and all that follows moves to earlier positions. For comparison with that code only; false by default.
   */
  readonly collapse?: boolean | undefined;
}

/**
 * The tokens of each group's masked row: at masked places the stand-in's, or the prompt's own where the stand-in is no token. With `collapse`, spans that touch stay two stand-ins; spans that overlap are one.
 *
 * @param ids the prompt's tokens
 *
 * Throws RangeError for a span that is empty or outside the prompt, and for a group without spans.
 */
export function maskedRows(
  ids: readonly number[],
  groups: readonly { readonly tokens: readonly Span[] }[],
  standIn: StandIn,
  { collapse = false }: MaskOptions = {},
): number[][] {
  return groups.map(({ tokens: spans }, group) => {
    if (spans.length === 0) throw new RangeError(`group ${group} masks 0 tokens; it needs at least 1`);
    const tokens: number[] = [];
    let done = 0;
    for (const { begin, end } of mergeSpans(spans)) {
      if (!(Number.isInteger(begin) && Number.isInteger(end) && begin >= 0 && begin < end && end <= ids.length)) {
        throw new RangeError(
          `group ${group} masks tokens ${begin}..${end}, which must be a range of the prompt's ${ids.length}`,
        );
      }
      tokens.push(...ids.slice(done, begin));
      for (const id of ids.slice(begin, collapse ? begin + 1 : end)) {
        tokens.push(standIn.kind === "token" ? standIn.token : id);
      }
      done = end;
    }
    tokens.push(...ids.slice(done));
    return tokens;
  });
}

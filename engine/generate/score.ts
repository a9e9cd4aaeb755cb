// Scores a text: from the log-probabilities of its tokens to the perplexity.

import type { TokenLogProb } from "./log-probs.ts";

/** The score of a text of T tokens, of which P are its prompt; P is 1 without `promptLength`. */
export interface Score {
  /** the log-probability of each token behind the prompt, given those before it [T - P] */
  readonly logProbs: readonly number[];
  /** their sum: the log-probability of the text, given its prompt */
  readonly totalLogProb: number;
  /** exp(-totalLogProb / tokens), 1 or more: the number of equally likely tokens with the same uncertainty */
  readonly perplexity: number;
  /** how many tokens were scored: T - P */
  readonly tokens: number;
  /**
   * [T - P + 1], if asked for: the likeliest tokens in the place of each token behind the prompt, then those of the place after the last; the
   * likeliest first. A token's log-probability is the same number here and in `logProbs`.
   */
  readonly alternatives?: readonly (readonly TokenLogProb[])[];
}

// Rounding can put a log-softmax in f32 slightly above 0; a larger number is not a log-probability.
const ROUNDING = 1e-3;

/**
 * Scores a text from the natural log-probabilities [T - 1] of its tokens. A token of probability 0 (-Infinity) makes the
 * perplexity infinite. Throws RangeError if there are none, or one is NaN or above 0.
 */
export function score(logProbs: ArrayLike<number>): Score {
  const tokens = logProbs.length;
  if (tokens === 0) throw new RangeError("there are 0 log-probabilities to score: a text needs 2 tokens or more");
  const list = Array.from(logProbs);
  let total = 0;
  for (const [i, logProb] of list.entries()) {
    if (Number.isNaN(logProb)) {
      throw new RangeError(
        `no token has a probability after ${i + 1} of ${tokens + 1} tokens: of the logits one is NaN or Infinity, or all are -Infinity`,
      );
    }
    if (!(logProb <= ROUNDING))
      throw new RangeError(`log-probability ${i} of ${tokens} is ${logProb}: it must be at most 0`);
    total += logProb;
  }
  return { logProbs: list, totalLogProb: total, perplexity: Math.exp(-total / tokens), tokens };
}

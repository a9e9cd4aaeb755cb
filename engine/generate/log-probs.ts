// Log-probabilities under the model: log-softmax of its raw logits, summed in f64. Bias, penalties, hooks, temperature and the filters
// of sampling are not included.

import { argmax, selectTopK } from "./ranking.ts";

/** A token and the natural logarithm of its probability. */
export interface TokenLogProb {
  readonly token: number;
  /** at most 0; -Infinity for a token the model rules out */
  readonly logProb: number;
}

/** The log-probability of a chosen token, and the likeliest tokens at its place. */
export interface ChosenLogProb extends TokenLogProb {
  /** the likeliest first, as many as were asked for; may hold the chosen token too; never one of probability 0 */
  readonly alternatives: readonly TokenLogProb[];
}

/**
 * The logarithm of Σ exp(logits) [vocabSize]. Throws a RangeError if a logit is NaN or +Infinity, or all are -Infinity; `row` is what the
 * message calls the logits.
 */
export function logSumExp(logits: ArrayLike<number>, row?: string): number {
  const largest = logits[likeliestOf(logits, row)] as number;
  let sum = 0;
  for (let token = 0; token < logits.length; token++) sum += Math.exp((logits[token] as number) - largest);
  return largest + Math.log(sum);
}

function likeliestOf(logits: ArrayLike<number>, row: string | undefined): number {
  try {
    return argmax(logits);
  } catch (error) {
    throw row !== undefined && error instanceof RangeError ? new RangeError(`${row}: ${error.message}`) : error;
  }
}

/**
 * The log-probability of one token under logits [vocabSize], with the `alternatives` likeliest tokens. Throws RangeError on a
 * token outside the vocabulary or more alternatives than tokens, and as `logSumExp` does.
 */
export function logProbOf(logits: Float32Array, token: number, alternatives = 0): ChosenLogProb {
  const size = logits.length;
  if (!Number.isInteger(token) || token < 0 || token >= size) {
    throw new RangeError(`token ${token} is not one of the ${size} of the vocabulary`);
  }
  checkAlternatives(alternatives, size);
  const normaliser = logSumExp(logits);
  const entry = (id: number): TokenLogProb => ({ token: id, logProb: (logits[id] as number) - normaliser });
  const likeliest = new Uint32Array(alternatives);
  const count = alternatives === 0 ? 0 : selectTopK(logits, alternatives, likeliest);
  return { ...entry(token), alternatives: Array.from(likeliest.subarray(0, count), entry) };
}

/** Throws RangeError if that many alternatives cannot be given. */
export function checkAlternatives(alternatives: number, vocabSize: number): void {
  if (!Number.isInteger(alternatives) || alternatives < 0 || alternatives > vocabSize) {
    throw new RangeError(
      `logProbs is ${alternatives}: it must be a whole number of alternatives from 0 to ${vocabSize}, the size of the vocabulary`,
    );
  }
}

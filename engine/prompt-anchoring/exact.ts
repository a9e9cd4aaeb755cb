// The pure parts of exact mode. SPA's F(w) = l + (w - 1)(l - l_mask) is the first-order approximation of f(E_mask + w (E - E_mask)), the
// model on amplified embeddings. This file makes those embeddings and compares the two results.

import { logSumExp } from "../generate/log-probs.ts";
import { argmax } from "../generate/ranking.ts";

/**
 * The embeddings of the exact row at anchored places: E_mask + w · (E - E_mask), number by number. `out` may be one of the inputs;
 * w = 1 gives E and w = 0 gives E_mask, exactly. Throws RangeError on lengths that differ and on a strength that is not a finite number.
 *
 * @param embeddings E [places, dim]
 * @param standIn E_mask [dim], the same at each place, or [places, dim]
 */
export function mixEmbeddings(
  out: Float32Array,
  embeddings: ArrayLike<number>,
  standIn: ArrayLike<number>,
  strength: number,
): Float32Array {
  const { length } = embeddings;
  if (!Number.isFinite(strength)) throw new RangeError(`the strength is ${strength}: it must be a finite number`);
  if (out.length !== length)
    throw new RangeError(`${length} numbers of embeddings do not fit an output of ${out.length}`);
  if (standIn.length === 0 || length % standIn.length !== 0) {
    throw new RangeError(`a stand-in of ${standIn.length} numbers does not fit embeddings of ${length}`);
  }
  const period = standIn.length;
  for (let i = 0; i < length; i++) {
    const own = embeddings[i]!;
    const other = standIn[i % period]!;
    out[i] = strength === 1 ? own : other + strength * (own - other);
  }
  return out;
}

/**
 * The Kullback-Leibler divergence Σ p (log p - log q), in nats, of the distributions that two rows of logits [vocabSize] stand for:
 * 0 or more, +Infinity if p has a token that q excludes. Throws RangeError on lengths that differ and like `logSumExp`.
 */
export function klDivergence(p: ArrayLike<number>, q: ArrayLike<number>): number {
  checkLengths(p, q);
  const wholeP = logSumExp(p, "the first row");
  const wholeQ = logSumExp(q, "the second row");
  let sum = 0;
  for (let token = 0; token < p.length; token++) {
    const logP = p[token]! - wholeP;
    if (logP === -Infinity) continue;
    sum += Math.exp(logP) * (logP - (q[token]! - wholeQ));
  }
  return Math.max(0, sum); // rounding
}

/** True if the argmax of both rows is the same token. */
export function agreeOnTop(p: ArrayLike<number>, q: ArrayLike<number>): boolean {
  checkLengths(p, q);
  return argmax(p) === argmax(q);
}

/** The difference of two rows of logits that says something about their distributions. */
export interface LogitDifference {
  /** root of the mean square over the vocabulary */
  readonly rms: number;
  readonly max: number;
}

/**
 * |p - q| over the vocabulary, after the mean of p - q has been taken off: adding a constant to all logits of a row changes no probability,
 * and so not this either. Tokens that one of the rows excludes (-Infinity) are left out. Throws RangeError on lengths that differ.
 */
export function logitDifference(p: ArrayLike<number>, q: ArrayLike<number>): LogitDifference {
  checkLengths(p, q);
  const isCounted = (token: number): boolean => p[token]! > -Infinity && q[token]! > -Infinity;
  let count = 0;
  let mean = 0;
  for (let token = 0; token < p.length; token++) {
    if (isCounted(token)) mean += (p[token]! - q[token]! - mean) / ++count;
  }
  let squares = 0;
  let max = 0;
  for (let token = 0; token < p.length; token++) {
    if (!isCounted(token)) continue;
    const difference = Math.abs(p[token]! - q[token]! - mean);
    squares += difference * difference;
    max = Math.max(max, difference);
  }
  return { rms: count === 0 ? 0 : Math.sqrt(squares / count), max };
}

/** How first-order and exact amplification differ at one strength. */
export interface ExactComparison {
  readonly strength: number;
  /** divergence of the exact distribution from the first-order one, in nats */
  readonly kl: number;
  readonly isTopEqual: boolean;
  /** |F(w) - exact| */
  readonly difference: LogitDifference;
  /** |F(w) - exact| / (w - 1)², root mean square: the second-order term of the expansion about w = 1; null at w = 1 */
  readonly secondOrder: number | null;
  /**
   * |F(w) - exact| / |w (w - 1)|, root mean square. F is the straight line through the exact logits at w = 0 and w = 1, so that this stays
   * bounded where `secondOrder` does not, near 1: it is half the exact curve's second derivative; null at 0 and 1
   */
  readonly curvature: number | null;
}

/**
 * Compares the combined logits F(w) with those of the exact row at the same strength, both [vocabSize], as raw logits or
 * log-probabilities. Throws RangeError on lengths that differ and logits that are not numbers.
 */
export function compareExact(
  firstOrder: ArrayLike<number>,
  exact: ArrayLike<number>,
  strength: number,
): ExactComparison {
  const difference = logitDifference(firstOrder, exact);
  const over = (divisor: number): number | null => (divisor === 0 ? null : difference.rms / divisor);
  return {
    strength,
    kl: klDivergence(exact, firstOrder),
    isTopEqual: agreeOnTop(exact, firstOrder),
    difference,
    secondOrder: over((strength - 1) ** 2),
    curvature: over(Math.abs(strength * (strength - 1))),
  };
}

function checkLengths(p: ArrayLike<number>, q: ArrayLike<number>): void {
  if (p.length !== q.length) throw new RangeError(`rows of ${p.length} and ${q.length} logits cannot be compared`);
}

// Chooses a token from logits, in this order:
//   1 logitBias            added (OpenAI's logit_bias)
//   2 repetitionPenalty    every token of the prompt and the text so far (CTRL, arXiv 1909.05858; transformers'
//                          RepetitionPenaltyLogitsProcessor)
//   3 frequency, presence  every token of the text so far, not of the prompt (OpenAI's text generation guide)
//   4 temperature          divides the logits; 0 takes the largest logit and ends here
//   5 topK                 keeps the k largest
//   6 topP                 keeps the fewest of those whose probabilities sum to topP (nucleus sampling, arXiv 1904.09751)
//   7 minP                 keeps those at least minP times as probable as the likeliest (arXiv 2407.01082)
// The order is that of transformers' logits processors. Among equal logits the lower token counts as the larger. One random number is
// drawn per token. The kept tokens are walked in the order of the vocabulary, so that a filter that removes nothing changes nothing.

import { TOP_LOGITS, type TopLogits } from "./decoder.ts";
import type { Uniform } from "./random.ts";
import { argmax, selectTopK, selectMass } from "./ranking.ts";

/** How a token is chosen from its logits. Everything is off by default: the largest logit is taken. */
export interface SamplingOptions {
  /** divides the logits; 0, the default, takes the largest; finite, >= 0 */
  readonly temperature?: number | undefined;
  /** only the k largest logits can be chosen; a whole number, 0 (the default) for no limit */
  readonly topK?: number | undefined;
  /** only the fewest tokens whose probabilities sum to this can be chosen; above 0, to 1 (the default: all) */
  readonly topP?: number | undefined;
  /** only tokens at least this many times as probable as the likeliest can be chosen; 0 (the default: all) to 1 */
  readonly minP?: number | undefined;
  /** positive logits of tokens in prompt or text are divided by it, negative ones multiplied; above 0, default 1 (none) */
  readonly repetitionPenalty?: number | undefined;
  /** subtracted from a token's logit once for each time it was generated; finite, default 0 */
  readonly frequencyPenalty?: number | undefined;
  /** subtracted from a token's logit if it was generated at all; finite, default 0 */
  readonly presencePenalty?: number | undefined;
  /** seed of the random numbers, 0..2^53-1, which makes a run repeatable; a random one by default */
  readonly seed?: number | undefined;
  /** added to the logits of these tokens; finite, or -Infinity to forbid a token */
  readonly logitBias?: Readonly<Record<number, number>> | ReadonlyMap<number, number> | undefined;
}

/** Relative error allowed in the decoder's sum of a row's weights: ten times the bound of its kernel. */
const TOTAL_TOLERANCE = 1e-4;

/** For every token of prompt or text, the number of times it was generated: 0 for a token of the prompt only. */
export type TokenCounts = ReadonlyMap<number, number>;

/** The counts of a prompt of which nothing has been generated yet. */
export function countPrompt(prompt: Iterable<number>): Map<number, number> {
  const counts = new Map<number, number>();
  for (const token of prompt) counts.set(token, 0);
  return counts;
}

/** Adds a generated token to counts. */
export function countGenerated(counts: Map<number, number>, token: number): void {
  counts.set(token, (counts.get(token) ?? 0) + 1);
}

function check(holds: boolean, name: string, value: unknown, wanted: string): void {
  if (!holds) throw new RangeError(`${name} is ${String(value)}: it must be ${wanted}`);
}

/**
 * Chooses tokens from logits [vocabSize] by the options. It has no state except scratch memory, which it allocates once and reuses for
 * every token of every row. Throws RangeError on an option out of range.
 */
export class Sampler {
  readonly vocabSize: number;
  /** whether the largest logit is taken, so that no random number is used */
  readonly isGreedy: boolean;
  /** whether `adjust` changes logits */
  readonly adjusts: boolean;
  /** whether `adjust` looks at the counts */
  readonly needsCounts: boolean;
  /** whether a row's top-K logits can be enough to choose from */
  readonly drawsFromTopLogits: boolean;
  readonly temperature: number;
  readonly #topK: number;
  readonly #topP: number;
  readonly #minP: number;
  readonly #repetition: number;
  readonly #frequency: number;
  readonly #presence: number;
  readonly #bias: readonly (readonly [token: number, bias: number])[];
  /** the tokens that can still be chosen [topK or vocabSize] */
  #tokens = new Uint32Array(0);
  /** exp((logit - largest) / temperature) [vocabSize], valid for the tokens of this draw only */
  #weights = new Float64Array(0);

  constructor(vocabSize: number, options: SamplingOptions = {}) {
    this.vocabSize = vocabSize;
    const { temperature = 0, topK = 0, topP = 1, minP = 0 } = options;
    const { repetitionPenalty = 1, frequencyPenalty = 0, presencePenalty = 0, logitBias = {} } = options;
    const isFinite = Number.isFinite;
    check(isFinite(temperature) && temperature >= 0, "temperature", temperature, "a finite number of at least 0");
    check(Number.isInteger(topK) && topK >= 0, "topK", topK, "a whole number of at least 0, where 0 means no limit");
    check(topP > 0 && topP <= 1, "topP", topP, "above 0 and at most 1");
    check(minP >= 0 && minP <= 1, "minP", minP, "from 0 to 1");
    check(
      isFinite(repetitionPenalty) && repetitionPenalty > 0,
      "repetitionPenalty",
      repetitionPenalty,
      "a finite number above 0",
    );
    check(isFinite(frequencyPenalty), "frequencyPenalty", frequencyPenalty, "a finite number");
    check(isFinite(presencePenalty), "presencePenalty", presencePenalty, "a finite number");
    const bias = logitBias instanceof Map ? [...logitBias] : Object.entries(logitBias);
    this.#bias = bias.map(([key, value]: readonly [string | number, number]) => {
      const token = Number(key);
      const isToken = Number.isInteger(token) && token >= 0 && token < vocabSize;
      check(isToken, "a token of logitBias", key, `a whole number below ${vocabSize}, the size of the vocabulary`);
      check(isFinite(value) || value === -Infinity, `logitBias of token ${token}`, value, "finite or -Infinity");
      return [token, value];
    });
    this.temperature = temperature;
    this.#topK = topK < vocabSize ? topK : 0;
    this.#topP = topP;
    this.#minP = minP;
    this.#repetition = repetitionPenalty;
    this.#frequency = frequencyPenalty;
    this.#presence = presencePenalty;
    this.isGreedy = temperature === 0;
    this.needsCounts = repetitionPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0;
    this.adjusts = this.needsCounts || this.#bias.length > 0;
    const isFiltered = this.#topK === 0 ? topP < 1 || minP > 0 : this.#topK <= TOP_LOGITS;
    this.drawsFromTopLogits = isFiltered && !this.isGreedy && !this.adjusts;
  }

  /** Applies bias and penalties to logits [vocabSize], in place. */
  adjust(logits: Float32Array, counts: TokenCounts): void {
    for (const [token, bias] of this.#bias) logits[token] = (logits[token] as number) + bias;
    if (!this.needsCounts) return;
    for (const [token, generated] of counts) {
      let x = logits[token] as number;
      x = x < 0 ? x * this.#repetition : x / this.#repetition;
      if (generated > 0) x -= generated * this.#frequency + this.#presence;
      logits[token] = x;
    }
  }

  /**
   * Chooses a token from logits [vocabSize] without changing them; draws one random number, or none if greedy. Throws if a logit is NaN
   * or +Infinity or all are -Infinity, and a RangeError if their number is not `vocabSize`.
   */
  pick(logits: Float32Array, random: Uniform): number {
    if (logits.length !== this.vocabSize) {
      throw new RangeError(`there are ${logits.length} logits for a vocabulary of ${this.vocabSize} tokens`);
    }
    if (this.isGreedy) return argmax(logits);
    this.#makeRoom();
    const count = this.#topK === 0 ? this.#keepOfAll(logits) : this.#keepTopK(logits);
    return this.#draw(count, random());
  }

  /** Returns true if `pickFromTopLogits` can choose as `pick` does from the whole row. */
  isEnough(top: TopLogits): boolean {
    return this.#keptOf(top) !== undefined;
  }

  /** Chooses as `pick` does from the whole row; requires `isEnough`. Draws one random number. */
  pickFromTopLogits(top: TopLogits, random: Uniform): number {
    const { tokens, logits } = top;
    const kept = this.#keptOf(top);
    if (kept === undefined) throw new RangeError(`the top ${tokens.length} logits are not enough to choose from`);
    this.#makeRoom();
    for (let i = 0; i < kept; i++) {
      const token = tokens[i] as number;
      this.#tokens[i] = token;
      this.#weights[token] = this.#weightOf(logits, i, logits[0] as number);
    }
    this.#tokens.subarray(0, kept).sort();
    return this.#draw(kept, random());
  }

  /** Returns how many of the top-K logits are kept; undefined if that depends on the other logits, or a logit is not a number. */
  #keptOf({ logits, total }: TopLogits): number | undefined {
    const first = logits[0] as number;
    if (!(first > -Infinity && total < Infinity)) return undefined;
    const count = this.#topK === 0 ? logits.length : Math.min(this.#topK, logits.length);
    let [low, high] = [total * (1 - TOTAL_TOLERANCE), total * (1 + TOTAL_TOLERANCE)];
    if (this.#topK !== 0) {
      // probabilities are relative to the topK logits, all of which are in `logits`
      low = 0;
      for (let i = 0; i < count; i++) low += this.#weightOf(logits, i, first);
      high = low;
    }
    let mass = 0;
    for (let i = 0; i < count; i++) {
      const weight = this.#weightOf(logits, i, first);
      if (weight === 0 || weight < this.#minP) return i;
      if (this.#topP < 1 && mass >= this.#topP * low) return mass >= this.#topP * high ? i : undefined;
      mass += weight;
    }
    if (this.#topK !== 0) return count;
    return this.#topP < 1 && mass >= this.#topP * high ? count : undefined;
  }

  #makeRoom(): void {
    if (this.#weights.length > 0) return;
    this.#weights = new Float64Array(this.vocabSize);
    this.#tokens = new Uint32Array(this.#topK === 0 ? this.vocabSize : this.#topK);
  }

  /** Steps 4 to 7 with topK: the tokens that stay, in the order of the vocabulary; returns their number. */
  #keepTopK(logits: Float32Array): number {
    const tokens = this.#tokens;
    const weights = this.#weights;
    const count = selectTopK(logits, this.#topK, tokens);
    if (count === 0) return argmax(logits); // throws: there is no token to choose
    const largest = logits[tokens[0] as number] as number;
    let total = 0;
    for (let i = 0; i < count; i++) total += this.#weigh(logits, tokens[i] as number, largest);
    let kept = 0;
    for (let mass = 0; kept < count; kept++) {
      const weight = weights[tokens[kept] as number] as number;
      if (weight === 0 || weight < this.#minP || (this.#topP < 1 && mass >= this.#topP * total)) break;
      mass += weight;
    }
    tokens.subarray(0, kept).sort();
    return kept;
  }

  /** The same without topK. It never sorts, however many tokens are kept. */
  #keepOfAll(logits: Float32Array): number {
    const largest = logits[argmax(logits)] as number;
    let total = 0;
    for (let token = 0; token < this.vocabSize; token++) total += this.#weigh(logits, token, largest);
    // topP leaves out a weight of `leftOut`. Tokens lighter than leftOut / vocabSize sum to less than that, so none of them is kept. The
    // factor makes the comparison safe against rounding.
    const leftOut = (1 - this.#topP) * total;
    const lightest = Math.max(this.#minP, (leftOut / this.vocabSize) * (1 - 1e-9));
    const count = this.#keepFrom(lightest);
    if (this.#topP === 1) return count;
    const kept = selectMass(logits, this.#weights, this.#tokens, count, this.#topP * total);
    const last = this.#tokens[kept - 1] as number;
    return this.#keepThrough(logits, last, lightest);
  }

  #weigh(logits: Float32Array, token: number, largest: number): number {
    return (this.#weights[token] = this.#weightOf(logits, token, largest));
  }

  #weightOf(logits: Float32Array, index: number, largest: number): number {
    return Math.exp(((logits[index] as number) - largest) / this.temperature);
  }

  /** Lists the tokens of at least this weight that are above 0. */
  #keepFrom(lightest: number): number {
    let count = 0;
    for (let token = 0; token < this.vocabSize; token++) {
      const weight = this.#weights[token] as number;
      if (weight >= lightest && weight > 0) this.#tokens[count++] = token;
    }
    return count;
  }

  /** Lists the tokens of at least this weight up to `last` in the order of logits. */
  #keepThrough(logits: Float32Array, last: number, lightest: number): number {
    const smallest = logits[last] as number;
    let count = 0;
    for (let token = 0; token < this.vocabSize; token++) {
      const x = logits[token] as number;
      if (x < smallest || (x === smallest && token > last)) continue;
      if ((this.#weights[token] as number) >= lightest) this.#tokens[count++] = token;
    }
    return count;
  }

  /** Returns the token of the list at which the running sum of weights passes `share`, in [0, 1), of their total. */
  #draw(count: number, share: number): number {
    let total = 0;
    for (let i = 0; i < count; i++) total += this.#weights[this.#tokens[i] as number] as number;
    const target = share * total;
    let passed = 0;
    for (let i = 0; i < count; i++) {
      passed += this.#weights[this.#tokens[i] as number] as number;
      if (target < passed) return this.#tokens[i] as number;
    }
    // Reached with a share of 1 only: a smaller share of the total is below the total even when rounded.
    return this.#tokens[count - 1] as number;
  }
}

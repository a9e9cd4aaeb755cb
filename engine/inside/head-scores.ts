// Which heads look at the token before, at an earlier occurrence of their own token, or at what followed that one (induction; Olsson et al.,
// arXiv 2209.11895), on random tokens that are said twice: there nothing else than the repetition can be attended to.

import { seededRandom } from "../../kernels/index.ts";
import { checkOptions, wholeNumber, type OptionNames } from "../options.ts";
import type { Model } from "../model/model.ts";
import { patternsOf } from "./patterns.ts";
import { tokenText, type TokenText } from "./token-text.ts";

/** Options of {@link scoreHeads}. */
export interface HeadScoresOptions {
  /** random tokens that are said twice; 25 by default, at most half of the context */
  readonly period?: number | undefined;
  /** seed of the tokens; 0 by default */
  readonly seed?: number | undefined;
  /** tokens to say twice in place of random ones */
  readonly tokens?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

const OPTIONS: OptionNames<HeadScoresOptions> = { period: true, seed: true, tokens: true, signal: true };

/** Mean attention weights [heads] of a layer, 0 to 1. */
export interface LayerHeadScores {
  /** to the token before, of all rows but the first */
  readonly previous: readonly number[];
  /** to the same token's first occurrence, of the second half's rows */
  readonly duplicate: readonly number[];
  /** to the token behind the same token's first occurrence, of the second half's rows */
  readonly induction: readonly number[];
}

/** The result of {@link scoreHeads}. */
export interface HeadScores {
  /** [2 · period] */
  readonly tokens: readonly TokenText[];
  readonly period: number;
  readonly layers: readonly LayerHeadScores[];
}

/** Scores each head as a previous-token, duplicate-token and induction head. Throws a RangeError for a text beyond the context. */
export async function scoreHeads(model: Model, options: HeadScoresOptions = {}): Promise<HeadScores> {
  checkOptions("scoreHeads", options, OPTIONS);
  const { seed = 0, signal } = options;
  const { heads, vocabSize } = model.config;
  wholeNumber("scoreHeads", "seed", seed, 0);
  const most = Math.floor(model.contextLength / 2);
  const period = options.tokens?.length ?? options.period ?? Math.min(25, most);
  wholeNumber("scoreHeads", "period", period, 2);
  if (period > most) {
    throw new RangeError(
      `scoreHeads: period is ${period}: said twice it must fit the context of ${model.contextLength}`,
    );
  }
  const random = seededRandom(seed);
  const once = options.tokens ?? Array.from({ length: period }, () => random.integer(vocabSize));
  const tokens = [...once, ...once];
  const rows: LayerHeadScores[] = [];
  for await (const pattern of patternsOf(model, tokens, signal)) {
    const mean = (offset: number, first: number) =>
      Array.from({ length: heads }, (_, head) => {
        let sum = 0;
        for (let row = first; row < tokens.length; row++) sum += pattern.at(head, row, row - offset);
        return sum / (tokens.length - first);
      });
    rows.push({ previous: mean(1, 1), duplicate: mean(period, period), induction: mean(period - 1, period) });
  }
  return { tokens: tokens.map((token) => tokenText(model, token)), period, layers: rows };
}

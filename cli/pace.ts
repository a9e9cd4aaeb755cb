// Measures the speed of a run: the time up to the first token, and the rate of the others. The clock is read in the stop predicate,
// which the engine calls after every token; pieces of text can come later than their tokens.

import type { Piece, StopState } from "kedge";
import * as format from "./format.ts";

/** Tokens, and the seconds that they took. */
export interface Stretch {
  readonly tokens: number;
  readonly seconds: number;
  /** 0 where there was nothing to time */
  readonly tokensPerSecond: number;
}

/** Times one run of `model.generate`. Pass its `stopWhen`, and every piece to `count`. */
export class Pace {
  readonly #promptTokens: () => number;
  readonly #begin = performance.now();
  readonly #rule: ((state: StopState) => boolean) | undefined;
  #first: number | undefined;
  #last: number;
  #tokens = 0;
  readonly #rows = new Set<number>();

  /**
   * @param promptTokens tokens that have to be read before the first is written; asked for at the end
   * @param rule a stop predicate of the run's own
   */
  constructor(promptTokens: () => number, rule?: (state: StopState) => boolean) {
    this.#promptTokens = promptTokens;
    this.#rule = rule;
    this.#last = this.#begin;
  }

  /** The stop predicate of the run. */
  readonly stopWhen = (state: StopState): boolean => {
    this.#tick();
    return this.#rule?.(state) ?? false;
  };

  /** Takes notice of a piece. */
  count({ tokens, sampleIndex }: Piece): void {
    this.#tick();
    this.#tokens += tokens.length;
    this.#rows.add(sampleIndex);
  }

  #tick(): void {
    this.#last = performance.now();
    this.#first ??= this.#last;
  }

  /** Reading the prompt, which gives the first token of each row. */
  get prefill(): Stretch {
    return stretch(this.#promptTokens(), ((this.#first ?? this.#last) - this.#begin) / 1000);
  }

  /** Writing the tokens after the first. */
  get decode(): Stretch {
    const tokens = Math.max(0, this.#tokens - this.#rows.size);
    return stretch(tokens, (this.#last - (this.#first ?? this.#last)) / 1000);
  }

  /** One line: "26 tokens read at 1,204/s, 43 written at 812/s". */
  describe(): string {
    const read = `${format.plural(this.#promptTokens(), "token")} read at ${format.rate(this.prefill.tokensPerSecond)}/s`;
    const { tokens, tokensPerSecond } = this.decode;
    const speed = tokens === 0 ? "" : ` at ${format.rate(tokensPerSecond)}/s`;
    return `${read}, ${format.grouped(this.#tokens)} written${speed}`;
  }
}

function stretch(tokens: number, seconds: number): Stretch {
  return { tokens, seconds, tokensPerSecond: seconds > 0 ? tokens / seconds : 0 };
}

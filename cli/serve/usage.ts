// What an answer has in common with all others: how many tokens it took, and why it ended.

import type { FinishReason, Piece } from "kedge";
import manifest from "../../package.json" with { type: "json" };
import type { Metrics } from "./metrics.ts";
import type { Work } from "./server.ts";

/** What made the answer. */
export const FINGERPRINT: string = `kedge-${manifest.version}`;

/** Counts the tokens of a request, for its client and for the metrics. */
export class Usage {
  readonly promptTokens: number;
  generated = 0;
  readonly #metrics: Metrics;
  readonly #work: Work;
  #isBegun = false;

  constructor(metrics: Metrics, work: Work, promptTokens: number) {
    this.#metrics = metrics;
    this.#work = work;
    this.promptTokens = promptTokens;
  }

  /** Counts tokens as they come. */
  add(tokens: number): void {
    const { model, seconds } = this.#work;
    if (!this.#isBegun) {
      this.#isBegun = true;
      this.#metrics.firstToken(model, seconds);
      this.#metrics.tokens(model, this.promptTokens, 0);
    }
    this.generated += tokens;
    this.#metrics.tokens(model, 0, tokens);
  }

  /** The same pieces, counted. */
  async *counted(pieces: AsyncIterable<Piece>): AsyncGenerator<Piece, void, undefined> {
    for await (const piece of pieces) {
      this.add(piece.tokens.length);
      yield piece;
    }
  }
}

/** OpenAI's `usage`. */
export function usageOf({ promptTokens, generated }: Usage): object {
  return { prompt_tokens: promptTokens, completion_tokens: generated, total_tokens: promptTokens + generated };
}

/** OpenAI's word for why a text ended. */
export function finishReasonOf(reason: FinishReason): "stop" | "length" {
  return reason === "max-tokens" || reason === "context-full" ? "length" : "stop";
}

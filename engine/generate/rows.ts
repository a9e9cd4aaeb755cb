// One row of a batch: a prompt, the tokens generated for it, and their text on its way out.
//
// Invariants: the tokens of a row's pieces, joined, are all it generated, in order; their texts, joined, are its text up to
// the stop string, if there was one. A piece appears as soon as there is text that is certain, and its tokens are those
// chosen since the piece before: where text was held back, it comes with a later piece than its token.

import type { DecoderSequence } from "./decoder.ts";
import type { ChosenLogProb } from "./log-probs.ts";
import type { Random } from "./random.ts";
import { countGenerated, countPrompt, type TokenCounts } from "./sampler.ts";
import type { FinishReason, StopRules, StopScanner } from "./stop.ts";

/** Tokens to text, one after the other: gives whole characters only and keeps the bytes of unfinished ones. */
export interface TextStream {
  /** The text that this token makes certain; often none, sometimes more than the token's own. */
  push(token: number): string;
  /** What is left when no more tokens come. */
  finish(): string;
}

/** Makes the text stream of a row. Tokenisers that write the first token of a text differently need the prompt it follows. */
export type TextOf = (prompt: readonly number[]) => TextStream;

/** A part of what is being generated. */
export interface Piece {
  /** text to append; whole characters; may be empty in a row's last piece */
  readonly text: string;
  /** the tokens chosen since the row's last piece, a stop token included */
  readonly tokens: readonly number[];
  /** index of the prompt */
  readonly promptIndex: number;
  /** index of the sample of that prompt */
  readonly sampleIndex: number;
  /** one for each of `tokens`, if asked for */
  readonly logProbs?: readonly ChosenLogProb[];
  /** in a row's last piece: why it ended */
  readonly finishReason?: FinishReason;
}

/** What a row needs to begin. */
export interface RowStart {
  readonly promptIndex: number;
  readonly sampleIndex: number;
  /** the prompt, which the sequence holds already */
  readonly promptTokens: readonly number[];
  readonly sequence: DecoderSequence;
  readonly text: TextStream;
  readonly random: Random;
  readonly rules: StopRules;
  /** whether `counts` are kept */
  readonly needsCounts: boolean;
}

/** A row while it is being generated. */
export class Row {
  readonly promptIndex: number;
  readonly sampleIndex: number;
  readonly promptLength: number;
  /** prompt and generated tokens */
  readonly tokens: number[];
  readonly sequence: DecoderSequence;
  readonly random: Random;
  readonly #counts: Map<number, number>;
  readonly #needsCounts: boolean;
  readonly #rules: StopRules;
  readonly #text: TextStream;
  readonly #scanner: StopScanner;
  /** all text so far, kept for a stop predicate only */
  #history = "";
  /** where in `tokens` the next piece begins */
  #shown: number;
  #logProbs: ChosenLogProb[] = [];
  #finishReason: FinishReason | undefined;

  constructor(start: RowStart) {
    this.promptIndex = start.promptIndex;
    this.sampleIndex = start.sampleIndex;
    this.promptLength = start.promptTokens.length;
    this.tokens = [...start.promptTokens];
    this.sequence = start.sequence;
    this.random = start.random;
    this.#needsCounts = start.needsCounts;
    this.#counts = start.needsCounts ? countPrompt(start.promptTokens) : new Map<number, number>();
    this.#rules = start.rules;
    this.#text = start.text;
    this.#scanner = start.rules.scanner();
    this.#shown = this.promptLength;
  }

  /** For penalties; empty if none need it. */
  get counts(): TokenCounts {
    return this.#counts;
  }

  get finishReason(): FinishReason | undefined {
    return this.#finishReason;
  }

  /** Tokens that it can still have. */
  get tokensLeft(): number {
    const { maxTokens, contextLength } = this.#rules;
    return Math.min(maxTokens + this.promptLength, contextLength) - this.tokens.length;
  }

  /** Appends a chosen token; returns a piece if there is something to show or the row has ended. */
  accept(token: number, logProb?: ChosenLogProb): Piece | undefined {
    this.tokens.push(token);
    if (logProb !== undefined) this.#logProbs.push(logProb);
    if (this.#needsCounts) countGenerated(this.#counts, token);
    let text = "";
    if (this.#rules.isStopToken(token)) this.#finishReason = "stop-token";
    else {
      text = this.#show(this.#text.push(token));
      this.#finishReason = this.#reasonToStop();
    }
    if (this.#finishReason !== undefined) {
      text += this.#show(this.#text.finish());
      // The last characters can complete a stop string, too.
      if (this.#scanner.stop !== undefined && this.#finishReason !== "stop-token") this.#finishReason = "stop-string";
      text += this.#scanner.finish();
    }
    if (text === "" && this.#finishReason === undefined) return undefined;
    return this.#piece(text);
  }

  #show(text: string): string {
    if (this.#rules.stopWhen !== undefined) this.#history += text;
    return this.#scanner.push(text);
  }

  #reasonToStop(): FinishReason | undefined {
    const { stopWhen, maxTokens, contextLength } = this.#rules;
    if (this.#scanner.stop !== undefined) return "stop-string";
    if (stopWhen !== undefined) {
      const tokens = this.tokens.slice(this.promptLength);
      const state = { text: this.#history, tokens, promptIndex: this.promptIndex, sampleIndex: this.sampleIndex };
      const ends: unknown = stopWhen(state); // a caller in JavaScript may give an async function
      if (ends instanceof Promise) {
        throw new RangeError("stopWhen returned a promise: it must say true or false at once, so it cannot be async");
      }
      if (ends) return "predicate";
    }
    if (this.tokens.length - this.promptLength >= maxTokens) return "max-tokens";
    if (this.tokens.length >= contextLength) return "context-full";
    return undefined;
  }

  #piece(text: string): Piece {
    const tokens = this.tokens.slice(this.#shown);
    const logProbs = this.#logProbs;
    const reason = this.#finishReason;
    this.#shown = this.tokens.length;
    this.#logProbs = [];
    return {
      text,
      tokens,
      promptIndex: this.promptIndex,
      sampleIndex: this.sampleIndex,
      ...(logProbs.length > 0 && { logProbs }),
      ...(reason !== undefined && { finishReason: reason }),
    };
  }
}

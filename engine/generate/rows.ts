// One row of a batch: a prompt, the tokens generated for it, and their text.
//
// Invariants: the tokens of a row's pieces, joined, are all its generated tokens in order; the texts, joined, are its text up to the
// stop string, if there was one. A piece is made as soon as some text is final, and has the tokens chosen since the piece before.
// Text that is held back comes with a later piece than its token.

import type { DecoderSequence } from "./decoder.ts";
import type { ChosenLogProb } from "./log-probs.ts";
import type { Uniform } from "./random.ts";
import { countGenerated, countPrompt, type TokenCounts } from "./sampler.ts";
import type { FinishReason, StopRules, StopScanner } from "./stop.ts";

/** Decodes tokens to text one at a time. It returns whole characters and keeps the bytes of unfinished ones. */
export interface TextStream {
  /** Returns the text that is final after this token; it may be empty, or more than the token's own text. */
  push(token: number): string;
  /** Returns the rest of the text after the last token. */
  finish(): string;
}

/** Makes the text stream of a row. It gets the prompt, because some tokenizers decode the first token of a text differently. */
export type MakeTextStream = (prompt: readonly number[]) => TextStream;

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

/** The initial values of a row. */
export interface RowStart {
  readonly promptIndex: number;
  readonly sampleIndex: number;
  /** the prompt, which the sequence holds already */
  readonly promptTokens: readonly number[];
  readonly sequence: DecoderSequence;
  readonly text: TextStream;
  readonly random: Uniform;
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
  readonly random: Uniform;
  readonly #counts: Map<number, number>;
  readonly #needsCounts: boolean;
  readonly #rules: StopRules;
  readonly #text: TextStream;
  readonly #scanner: StopScanner;
  /** all text so far; only for a stop predicate */
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

  /** Number of tokens that can still be added. */
  get tokensLeft(): number {
    const { maxTokens, contextLength } = this.#rules;
    return Math.min(maxTokens + this.promptLength, contextLength) - this.tokens.length;
  }

  /** Appends a chosen token. Returns a piece if there is text to show or the row has ended. */
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

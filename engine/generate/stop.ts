// Decides when a row ends and which part of its text can be shown.
//
// Text that could begin a stop string is held back until the next characters decide. If several stop strings match, the one that is
// complete first counts, and the longest of those complete at the same character. The result therefore depends on the text alone and
// not on how tokens cut it. Strings are compared by code points, without normalization.

/** Why a row ended. */
export type FinishReason = "stop-token" | "stop-string" | "predicate" | "max-tokens" | "context-full";

/** A row as a stop predicate sees it. */
export interface StopState {
  /** the text generated so far, without the prompt; whole characters only */
  readonly text: string;
  /** the tokens generated so far, without the prompt */
  readonly tokens: readonly number[];
  /** index of the prompt */
  readonly promptIndex: number;
  /** index of the sample of that prompt */
  readonly sampleIndex: number;
}

/** When to end a row. If several conditions hold at the same token, the reason is the first in the order of `FinishReason`. */
export interface StopOptions {
  /** ends at this text, or the first complete one of these; it is not part of the text */
  readonly stop?: string | readonly string[] | undefined;
  /** ends at these tokens; the token is part of `tokens`, its text not of `text` */
  readonly stopTokens?: readonly number[] | undefined;
  /** the model's own end tokens; treated as `stopTokens` */
  readonly endTokens?: readonly number[] | undefined;
  /** continues after an end token (not after a stop token); default false */
  readonly ignoreEndTokens?: boolean | undefined;
  /** ends after this many tokens; 1 or more, Infinity for as many as the context holds; default 256 */
  readonly maxTokens?: number | undefined;
  /** called after every token; the row ends if it returns true, and that token and its text are kept */
  readonly stopWhen?: ((state: StopState) => boolean) | undefined;
}

/** Default of `maxTokens`: enough for a paragraph or a function. */
export const DEFAULT_MAX_TOKENS = 256;

/** A stop string and its Knuth-Morris-Pratt table: `shorter[i - 1]` of i matching characters still match if the next one does not. */
interface Pattern {
  readonly text: string;
  readonly shorter: readonly number[];
}

function compile(text: string): Pattern {
  const shorter = [0];
  let matched = 0;
  for (let i = 1; i < text.length; i++) {
    while (matched > 0 && text[i] !== text[matched]) matched = shorter[matched - 1] ?? 0;
    if (text[i] === text[matched]) matched++;
    shorter.push(matched);
  }
  return { text, shorter };
}

/** `StopOptions` checked and with their defaults, for all rows of a run. Throws RangeError on an option out of range. */
export class StopRules {
  readonly maxTokens: number;
  readonly contextLength: number;
  readonly stopWhen: ((state: StopState) => boolean) | undefined;
  readonly #tokens: ReadonlySet<number>;
  readonly #patterns: readonly Pattern[];

  constructor(options: StopOptions, vocabSize: number, contextLength: number) {
    const { stop = [], stopTokens = [], endTokens = [], ignoreEndTokens = false } = options;
    const { maxTokens = DEFAULT_MAX_TOKENS } = options;
    if (!(maxTokens >= 1) || (maxTokens !== Infinity && !Number.isInteger(maxTokens))) {
      throw new RangeError(`maxTokens is ${maxTokens}: it must be a whole number of at least 1, or Infinity`);
    }
    for (const token of [...stopTokens, ...endTokens]) {
      if (!Number.isInteger(token) || token < 0 || token >= vocabSize) {
        throw new RangeError(`stop token ${token} is not one of the ${vocabSize} of the vocabulary`);
      }
    }
    this.maxTokens = maxTokens;
    this.contextLength = contextLength;
    this.stopWhen = options.stopWhen;
    this.#tokens = new Set([...stopTokens, ...(ignoreEndTokens ? [] : endTokens)]);
    this.#patterns = compileAll(typeof stop === "string" ? [stop] : stop);
  }

  isStopToken(token: number): boolean {
    return this.#tokens.has(token);
  }

  /** A scanner for the text of one row. */
  scanner(): StopScanner {
    return new StopScanner(this.#patterns);
  }
}

function compileAll(stops: readonly string[]): Pattern[] {
  return stops.map((text, i) => {
    if (text === "") throw new RangeError(`stop string ${i} is empty: it must have 1 character or more`);
    if (!text.isWellFormed()) throw new RangeError(`stop string ${i} has half a surrogate pair: it can never match`);
    return compile(text);
  });
}

/** Passes a text on up to its first stop string, in pieces of any size. The top of the file defines which is first. */
export class StopScanner {
  readonly #patterns: readonly Pattern[];
  /** for each pattern, how many of its characters the text ends with */
  readonly #matched: number[];
  #held = "";
  #stop: string | undefined;

  /** @param patterns from `StopRules` */
  constructor(patterns: readonly Pattern[]) {
    this.#patterns = patterns;
    this.#matched = patterns.map(() => 0);
  }

  /** The stop string that was found, if any. No text is returned after it. */
  get stop(): string | undefined {
    return this.#stop;
  }

  /** Takes the next characters of the text and returns those that are certainly before any stop string. */
  push(text: string): string {
    if (this.#stop !== undefined) return "";
    const whole = this.#held + text;
    for (let i = this.#held.length; i < whole.length; i++) {
      const stop = this.#advance(whole.charCodeAt(i));
      if (stop === undefined) continue;
      this.#stop = stop;
      this.#held = "";
      return whole.slice(0, i + 1 - stop.length);
    }
    const certain = whole.length - Math.max(0, ...this.#matched);
    this.#held = whole.slice(certain);
    return whole.slice(0, certain);
  }

  /** Ends the text and returns the characters that were held back. */
  finish(): string {
    const held = this.#held;
    this.#held = "";
    this.#matched.fill(0);
    return held;
  }

  /** Advances every pattern by one UTF-16 unit and returns the longest complete one. */
  #advance(unit: number): string | undefined {
    let complete: string | undefined;
    for (const [p, { text, shorter }] of this.#patterns.entries()) {
      let matched = this.#matched[p] ?? 0;
      while (matched > 0 && text.charCodeAt(matched) !== unit) matched = shorter[matched - 1] ?? 0;
      if (text.charCodeAt(matched) === unit) matched++;
      this.#matched[p] = matched;
      if (matched === text.length && matched > (complete?.length ?? 0)) complete = text;
    }
    return complete;
  }
}

// The keys of a conversation between its turns. A turn's prompt begins with the earlier messages, so the sequence of the last turn is
// reused: it is truncated to the tokens that it shares with the new prompt, and fed the rest.

import type { DecoderSequence, SequenceOptions, WatchableDecoder } from "../generate/decoder.ts";

/** One sequence that outlives the generations that feed it. */
export class ConversationCache {
  readonly #decoder: WatchableDecoder;
  #sequence: DecoderSequence;
  /** the tokens that the sequence holds */
  #tokens: readonly number[] = [];
  /** a turn uses the sequence */
  #isTaken = false;

  constructor(decoder: WatchableDecoder) {
    this.#decoder = decoder;
    this.#sequence = decoder.open();
  }

  /** Tokens in the cache. */
  get length(): number {
    return this.#tokens.length;
  }

  /** Returns how many tokens of a prompt need not be fed. The last one always is. */
  sharedWith(prompt: readonly number[]): number {
    return commonLength(this.#tokens, prompt.slice(0, -1));
  }

  /** Returns a cache with the same past. Keys are shared until one of the two changes. */
  fork(): ConversationCache {
    const copy = new ConversationCache(this.#decoder);
    copy.#decoder.close(copy.#sequence);
    copy.#sequence = this.#decoder.fork(this.#sequence);
    copy.#tokens = this.#tokens;
    // In the middle of a turn the sequence holds tokens that are not part of the past yet.
    const { length } = this.#tokens;
    if (copy.#sequence.length > length && !this.#decoder.truncate?.(copy.#sequence, length)) copy.restart();
    return copy;
  }

  /** Returns a decoder whose first sequence is the conversation's, truncated to the tokens it shares with the prompt. Closing it does not free it. */
  continuing(): WatchableDecoder {
    this.#isTaken = false;
    return this.#decoderWith((options) => {
      if (this.#isTaken) return this.#decoder.open(options);
      this.#isTaken = true;
      this.#cut(options.prefix ?? []);
      return this.#sequence;
    });
  }

  /** Returns a decoder whose first sequence is a fork of the conversation's, truncated likewise. The conversation's own does not change. */
  forking(): WatchableDecoder {
    let isTaken = false;
    return this.#decoderWith((options) => {
      const shared = commonLength(this.#tokens, options.prefix ?? []);
      if (isTaken || options.vectors || shared === 0) return this.#decoder.open(options);
      isTaken = true;
      const fork = this.#decoder.fork(this.#sequence);
      if (this.#decoder.truncate?.(fork, shared)) return fork;
      this.#decoder.close(fork);
      return this.#decoder.open(options);
    });
  }

  /** Records the tokens that a turn on {@link continuing} fed: the first of `tokens`, as many as the sequence holds. */
  remember(tokens: readonly number[]): void {
    if (this.#isTaken) this.#tokens = tokens.slice(0, this.#sequence.length);
  }

  /** Starts with an empty sequence, for use after a failed step. */
  restart(): void {
    this.#decoder.close(this.#sequence);
    this.#sequence = this.#decoder.open();
    this.#tokens = [];
  }

  /** Frees the keys. */
  dispose(): void {
    this.#decoder.close(this.#sequence);
  }

  /** Truncates the sequence to the tokens that it shares with a prefix, or restarts if its policy does not allow that. */
  #cut(prefix: readonly number[]): void {
    const shared = commonLength(this.#tokens, prefix);
    if (shared === this.#tokens.length) return;
    if (shared > 0 && this.#decoder.truncate?.(this.#sequence, shared)) this.#tokens = this.#tokens.slice(0, shared);
    else this.restart();
  }

  #decoderWith(open: (options: SequenceOptions) => DecoderSequence): WatchableDecoder {
    const decoder = this.#decoder;
    return {
      vocabSize: decoder.vocabSize,
      contextLength: decoder.contextLength,
      combines: decoder.combines,
      open: (options = {}) => open(options),
      openWatched: (onAttention, options) => decoder.openWatched(onAttention, options),
      fork: (sequence) => decoder.fork(sequence),
      close: (sequence) => {
        if (sequence !== this.#sequence) decoder.close(sequence);
      },
      logits: (feeds, signal) => decoder.logits(feeds, signal),
      greedy: (feeds, signal) => decoder.greedy(feeds, signal),
      ...(decoder.topLogits && { topLogits: (feeds, options, signal) => decoder.topLogits!(feeds, options, signal) }),
      ...(decoder.greedyRun && { greedyRun: (feeds, steps, signal) => decoder.greedyRun!(feeds, steps, signal) }),
    };
  }
}

/** Returns the length of the common prefix of two lists. */
function commonLength(one: readonly number[], other: readonly number[]): number {
  const most = Math.min(one.length, other.length);
  for (let i = 0; i < most; i++) if (one[i] !== other[i]) return i;
  return most;
}

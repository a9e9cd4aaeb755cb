// The interface between generation and the engine: sequences that grow, and the logits after their newest token. This folder depends
// on nothing else of the engine, so that it can be tested without a model.

/** A sequence in the cache. The caller keeps its tokens. */
export interface DecoderSequence {
  /** tokens fed so far = position of the next one */
  readonly length: number;
}

/** Tokens to append to one sequence in a step; at least one. */
export interface Feed {
  readonly sequence: DecoderSequence;
  readonly tokens: readonly number[];
  /** tokens of the whole prompt if it comes in several feeds; those of the first feed by default. Cache policies read it. */
  readonly promptLength?: number;
  /** further rows, with which the feed is answered from combined logits; only for decoders that combine */
  readonly combination?: Combination | undefined;
}

/**
 * Rows that are fed with another one, l, and combined with it: l' = l + Σ_k f_k (l - l_k), all of them log-softmaxed. The token chosen from
 * l' is what all rows are fed next.
 */
export interface Combination {
  readonly rows: readonly Feed[];
  /** what scales the factors: nothing, the probability of each token over the largest, or the largest probability, those of l */
  readonly rule: "constant" | "probability" | "confidence";
  /** the factors f_k [rows] after these tokens and `ahead` more, which are chosen one after the other */
  factors(ahead: number): readonly number[];
}

/** The top-K logits of a row, in descending order; equal logits are in ascending order of their tokens. */
export interface TopLogits {
  readonly tokens: Uint32Array;
  readonly logits: Float32Array;
  /** about Σ exp((logit - largest) / temperature) over the whole row; NaN if a logit is NaN or Infinity or all are -Infinity */
  readonly total: number;
}

/** Options of {@link Decoder.topLogits}. */
export interface TopLogitsOptions {
  readonly temperature: number;
  /** returns false if the caller needs the whole row */
  readonly isEnough: (top: TopLogits) => boolean;
}

/** The largest K of the top-K logits that a decoder returns. */
export const TOP_LOGITS = 64;

/** How a sequence is opened. */
export interface SequenceOptions {
  /** [count, dim] vectors that the sequence and its forks may name as tokens vocabSize, vocabSize + 1, … */
  readonly vectors?: Float32Array | undefined;
  /**
   * Tokens that will be fed first. A decoder that has their keys may return a sequence that holds some of them already; its length is
   * their number.
   */
  readonly prefix?: readonly number[] | undefined;
}

/** Feeds sequences and returns the logits, or the tokens, that follow. */
export interface Decoder {
  readonly vocabSize: number;
  readonly contextLength: number;
  /**
   * True if feeds may have combinations. Where the device cannot combine so many rows, feeding them rejects with a DeviceError of the kind
   * "unfit" and changes nothing.
   */
  readonly combines?: boolean | undefined;
  /** Opens a sequence. It is empty unless the decoder has keys of `prefix`. */
  open(options?: SequenceOptions): DecoderSequence;
  /** Opens a second sequence with the same past. Slot numbers are copied, keys and values are shared. */
  fork(sequence: DecoderSequence): DecoderSequence;
  /** A sequence, open and not handed out before, that has just these tokens, if the decoder holds one. */
  held?(tokens: readonly number[]): DecoderSequence | undefined;
  /** Frees the keys that no other sequence shares. */
  close(sequence: DecoderSequence): void;
  /** Drops the tokens from `length` on. Returns false and changes nothing if the cache's policy makes that impossible. */
  truncate?(sequence: DecoderSequence, length: number): boolean;
  /**
   * Appends tokens to sequences as rows of one batch, in chunks, and resolves with the logits [vocabSize] after the last token of each
   * feed. Rejects with the signal's reason within one chunk of an abort; the sequences can then only be closed.
   */
  logits(feeds: readonly Feed[], signal?: AbortSignal): Promise<Float32Array[]>;
  /**
   * As `logits`, but the device takes the argmax of each feed's logits, and only tokens are read back; vocabSize, which is no token,
   * for logits of which one is NaN or Infinity or all are -Infinity.
   */
  greedy(feeds: readonly Feed[], signal?: AbortSignal): Promise<Uint32Array>;
  /**
   * As `greedy`, 1 to `steps` times: the device feeds the tokens of a step to the next one before the caller sees them. Ending the
   * iterator early rolls back the steps whose tokens were not yielded. The sequences must not be fed, forked or closed before it ends.
   */
  greedyRun?(feeds: readonly Feed[], steps: number, signal?: AbortSignal): AsyncGenerator<Uint32Array, void, undefined>;
  /** Returns the top-K logits of each feed's row; the whole row if `isEnough` returns false for them. */
  topLogits?(
    feeds: readonly Feed[],
    options: TopLogitsOptions,
    signal?: AbortSignal,
  ): Promise<(TopLogits | Float32Array)[]>;
}

/** A decoder that can also report the attention of a sequence's newest tokens. */
export interface WatchableDecoder extends Decoder {
  /** As `open`. After each step `onAttention` receives the newest token's attention weights [positions], by absolute position. */
  openWatched(
    onAttention: (position: number, weights: Float32Array) => void,
    options?: SequenceOptions,
  ): DecoderSequence;
}

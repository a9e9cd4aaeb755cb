// What generation needs of the engine: sequences that grow, and the logits of their newest token. Everything in this folder
// is written against this interface, so that it can be tested without a model.

/** A sequence in the cache. Its tokens so far are the holder's to remember. */
export interface DecoderSequence {
  /** tokens fed so far = position of the next one */
  readonly length: number;
}

/** Tokens to append to one sequence in a step; at least one. */
export interface Feed {
  readonly sequence: DecoderSequence;
  readonly tokens: readonly number[];
  /** tokens of the whole prompt when it comes in several feeds; the first feed's by default (cache policies ask) */
  readonly promptLength?: number;
}

/** The top-K logits of a row, in descending order; equal logits are in ascending order of their tokens. */
export interface TopLogits {
  readonly tokens: Uint32Array;
  readonly logits: Float32Array;
  /** about Σ exp((logit - largest) / temperature) over the whole row; NaN or Infinity if a logit is no number */
  readonly total: number;
}

/** How the top-K logits of a row are used. */
export interface TopLogitsOptions {
  readonly temperature: number;
  /** false: the whole row is wanted after all */
  readonly isEnough: (top: TopLogits) => boolean;
}

/** K of the top-K logits that a decoder gives: at most this many. */
export const TOP_LOGITS = 64;

/** How a sequence is opened. */
export interface SequenceOptions {
  /** [count, dim] vectors that the sequence and its forks may name as tokens vocabSize, vocabSize + 1, … */
  readonly vectors?: Float32Array | undefined;
  /**
   * Tokens that will be fed first. A decoder that has their keys may open a sequence that holds some of them: as many as its
   * length says.
   */
  readonly prefix?: readonly number[] | undefined;
}

/** Feeds sequences and says which tokens follow. */
export interface Decoder {
  readonly vocabSize: number;
  readonly contextLength: number;
  /** A sequence, empty unless `prefix` says otherwise. */
  open(options?: SequenceOptions): DecoderSequence;
  /** A second sequence with the same past; nothing is copied but slot numbers. */
  fork(sequence: DecoderSequence): DecoderSequence;
  /** Frees what only this sequence holds. */
  close(sequence: DecoderSequence): void;
  /** Drops the tokens from `length` on; false, with nothing changed, where the cache's policy makes that impossible. */
  truncate?(sequence: DecoderSequence, length: number): boolean;
  /**
   * Appends tokens to sequences, all as rows of one batch (long ones in chunks), and resolves with the logits [vocabSize] that
   * follow the last token of each feed. Rejects with the signal's reason within one chunk of an abort; the sequences are then
   * only good for closing.
   */
  logits(feeds: readonly Feed[], signal?: AbortSignal): Promise<Float32Array[]>;
  /** The same, but the device picks the largest logit of each feed: only token numbers are read back. */
  greedy(feeds: readonly Feed[], signal?: AbortSignal): Promise<Uint32Array>;
  /**
   * As `greedy`, between 1 and `steps` times: each answer is fed to the next step on the device, before the caller sees it.
   * Ending the iterator early rolls back the steps whose answers were not yielded. The sequences must not be fed, forked or closed
   * before it ends.
   */
  greedyRun?(feeds: readonly Feed[], steps: number, signal?: AbortSignal): AsyncGenerator<Uint32Array, void, undefined>;
  /** The top-K logits of each feed's row; the whole row where `isEnough` returns false for them. */
  topLogits?(
    feeds: readonly Feed[],
    options: TopLogitsOptions,
    signal?: AbortSignal,
  ): Promise<(TopLogits | Float32Array)[]>;
}

/** A decoder that can also tell the attention of a sequence's newest tokens. */
export interface WatchableDecoder extends Decoder {
  /** As `open`; after each step `onAttention` is told the newest token's weights [positions] by absolute position. */
  openWatched(
    onAttention: (position: number, weights: Float32Array) => void,
    options?: SequenceOptions,
  ): DecoderSequence;
}

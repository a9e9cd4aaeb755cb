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

/** The largest logits of a row, the largest first; of equal ones the lower token first. */
export interface Largest {
  readonly tokens: Uint32Array;
  readonly logits: Float32Array;
  /** about Σ exp((logit - largest) / temperature) over the whole row; NaN or Infinity if a logit is no number */
  readonly total: number;
}

/** What is drawn from a row's largest logits. */
export interface LargestOptions {
  readonly temperature: number;
  /** false: the whole row is wanted after all */
  readonly isEnough: (largest: Largest) => boolean;
}

/** How many of the largest logits a decoder gives, at most. */
export const LARGEST_COUNT = 64;

export interface Decoder {
  readonly vocabSize: number;
  readonly contextLength: number;
  /** An empty sequence. */
  open(): DecoderSequence;
  /** A second sequence with the same past; nothing is copied but slot numbers. */
  fork(sequence: DecoderSequence): DecoderSequence;
  /** Frees what only this sequence holds. */
  close(sequence: DecoderSequence): void;
  /**
   * Appends tokens to sequences, all as rows of one batch (long ones in chunks), and resolves with the logits [vocabSize] that
   * follow the last token of each feed. Rejects with the signal's reason within one chunk of an abort; the sequences are then
   * only good for closing.
   */
  logits(feeds: readonly Feed[], signal?: AbortSignal): Promise<Float32Array[]>;
  /** The same, but the device picks the largest logit of each feed: only token numbers are read back. */
  greedy(feeds: readonly Feed[], signal?: AbortSignal): Promise<Uint32Array>;
  /**
   * As `greedy`, at most `steps` times: each answer is fed for the next, on the device, before the caller has seen it. Whoever
   * ends the iteration early takes back the steps beyond the answers given; until it ends, the sequences are not to be fed,
   * forked or closed. It may end after fewer steps, but gives one answer at least.
   */
  greedyRun?(feeds: readonly Feed[], steps: number, signal?: AbortSignal): AsyncGenerator<Uint32Array, void, undefined>;
  /** As `logits`, but of a row whose largest are enough no more than those is read back. */
  largest?(feeds: readonly Feed[], options: LargestOptions, signal?: AbortSignal): Promise<(Largest | Float32Array)[]>;
}

// A sequence of a model: its keys in the store, its policy, and the vectors that its tokens may name.

import type { DecoderSequence } from "../generate/decoder.ts";
import type { Keeping } from "./keeping.ts";
import type { StoredSequence } from "./stored-sequence.ts";

/** The newest token's attention in one layer. */
export interface LayerAttention {
  /** [keys] absolute positions of the keys of this layer, ascending */
  readonly positions: Uint32Array;
  /** [keys] weights, mean over heads */
  readonly weights: Float32Array;
}

/** The attention of a sequence's newest token. */
export interface NewestAttention {
  readonly position: number;
  /** by watched layer; the keys differ between layers if the policy is per layer */
  readonly layers: ReadonlyMap<number, LayerAttention>;
}

/** Rows of the table of vectors that a sequence and its forks may name as tokens, from `vocabSize` on. */
export interface VectorBlock {
  /** first row of the table */
  readonly begin: number;
  readonly count: number;
}

/** A sequence of a model, open until `Steps.close`. */
export class CachedSequence implements DecoderSequence {
  readonly stored: StoredSequence;
  readonly keeping: Keeping;
  readonly vectors: VectorBlock | undefined;
  /** length of the prompt: tokens of the first feed, unless the feed states another; 0 before it */
  promptLength = 0;
  /** called after each step with the newest token's attention in the watched layers */
  onAttention: ((attention: NewestAttention) => void) | undefined;

  /** Use `Steps.open` and `Steps.fork`. */
  constructor(stored: StoredSequence, keeping: Keeping, vectors?: VectorBlock) {
    this.stored = stored;
    this.keeping = keeping;
    this.vectors = vectors;
  }

  get length(): number {
    return this.stored.length;
  }

  get isOpen(): boolean {
    return this.stored.isOpen;
  }
}

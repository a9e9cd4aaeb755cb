import type { StoredSequence } from "../cache/store.ts";
import type { DecoderSequence } from "../generate/decoder.ts";
import type { Keeping } from "./keeping.ts";

/** The attention of a sequence's newest token. */
export interface NewestAttention {
  readonly position: number;
  /** [keys] absolute positions of the keys it could see */
  readonly positions: Uint32Array;
  /** by watched layer: [keys], mean over heads */
  readonly weights: ReadonlyMap<number, Float32Array>;
}

/** A sequence of the engine: its keys, and how they are kept. */
export class EngineSequence implements DecoderSequence {
  readonly stored: StoredSequence;
  readonly keeping: Keeping;
  /** tokens of the first feed (or as its feed says); 0 before it */
  promptLength = 0;
  /** called after each step with the newest token's attention in the watched layers */
  onAttention: ((attention: NewestAttention) => void) | undefined;

  constructor(stored: StoredSequence, keeping: Keeping) {
    this.stored = stored;
    this.keeping = keeping;
  }

  get length(): number {
    return this.stored.length;
  }
}

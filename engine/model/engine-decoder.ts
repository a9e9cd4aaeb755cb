// The decoder of a loaded model: asks the model's scheduler for the logits, or the tokens chosen, after the last tokens of feeds.

import { DeviceError } from "../devices/device.ts";
import type { CachePolicy } from "../cache/policies/policy.ts";
import type { Keeping } from "../cache/keeping.ts";
import type { CachedSequence } from "../cache/sequence.ts";
import type { Group } from "./choices.ts";
import type {
  DecoderSequence,
  Feed,
  TopLogits,
  TopLogitsOptions,
  SequenceOptions,
  WatchableDecoder,
} from "../generate/decoder.ts";
import { greedyTokens, topLogits, wholeLogits, type Answers } from "./answers.ts";
import type { Part } from "./part.ts";
import type { Steps } from "./steps.ts";

/** How the sequences of a decoder are opened. */
export interface EngineDecoderOptions {
  /** which keys stay; the model's own way by default */
  readonly policy?: CachePolicy | undefined;
}

/** Decodes with a model's steps. All sequences of a decoder have the same policy; several decoders can share the steps. */
export class EngineDecoder implements WatchableDecoder {
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly combines: boolean = true;
  readonly #steps: Steps;
  readonly #policy: CachePolicy | undefined;

  constructor(steps: Steps, { policy }: EngineDecoderOptions = {}) {
    this.#steps = steps;
    this.#policy = policy;
    this.vocabSize = steps.config.vocabSize;
    this.contextLength = steps.contextLength;
  }

  /** How its sequences keep their keys. */
  get keeping(): Keeping {
    return this.#steps.keepingOf(this.#policy);
  }

  open({ vectors }: SequenceOptions = {}): CachedSequence {
    return this.#steps.open({ vectors, policy: this.#policy });
  }

  openWatched(
    onAttention: (position: number, weights: Float32Array) => void,
    { vectors }: SequenceOptions = {},
  ): CachedSequence {
    const last = this.#steps.config.layers - 1;
    const sequence = this.#steps.open({ vectors, policy: this.#policy, watchedLayers: [last] });
    sequence.onAttention = ({ position, layers }) => {
      const { positions, weights } = layers.get(last)!;
      const byPosition = new Float32Array(position + 1);
      for (const [key, at] of positions.entries()) byPosition[at] = weights[key]!;
      onAttention(position, byPosition);
    };
    return sequence;
  }

  fork(sequence: DecoderSequence): CachedSequence {
    return this.#steps.fork(sequence);
  }

  close(sequence: DecoderSequence): void {
    this.#steps.close(sequence);
  }

  truncate(sequence: DecoderSequence, length: number): boolean {
    return this.#steps.truncate(sequence, length);
  }

  logits(feeds: readonly Feed[], signal?: AbortSignal): Promise<Float32Array[]> {
    return this.#ask(feeds, wholeLogits, signal);
  }

  async greedy(feeds: readonly Feed[], signal?: AbortSignal): Promise<Uint32Array> {
    return Uint32Array.from(await this.#ask(feeds, greedyTokens, signal));
  }

  async *greedyRun(
    feeds: readonly Feed[],
    steps: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint32Array, void, undefined> {
    const groups = this.#groups(feeds);
    const parts = groups.flatMap((group) => group.parts);
    const keys = new Set(parts.map(({ sequence }) => sequence.keeping.stepKey));
    const isDecoding = keys.size === 1 && parts.length <= this.#steps.chunkRows;
    if (isDecoding && parts.every(({ tokens }) => tokens.length === 1)) {
      yield* await this.#steps.scheduler.greedyRun(groups, steps, signal);
    } else yield await this.greedy(feeds, signal);
  }

  async topLogits(
    feeds: readonly Feed[],
    options: TopLogitsOptions,
    signal?: AbortSignal,
  ): Promise<(TopLogits | Float32Array)[]> {
    try {
      return await this.#ask(feeds, topLogits(options), signal);
    } catch (error) {
      // The device has no top-K kernel that fits: the sampler chooses from whole rows.
      if (error instanceof DeviceError && error.kind === "unfit") return this.logits(feeds, signal);
      throw error;
    }
  }

  async #ask<T>(feeds: readonly Feed[], answers: Answers<T>, signal: AbortSignal | undefined): Promise<T[]> {
    return this.#steps.scheduler.answer(this.#groups(feeds), answers, signal);
  }

  /** Throws unless each sequence is the model's, appears once, and gets a token or more. */
  #groups(feeds: readonly Feed[]): Group[] {
    const seen = new Set<DecoderSequence>();
    const partOf = ({ sequence, tokens, promptLength }: Feed, feed: number): Part => {
      if (seen.has(sequence)) throw new RangeError(`feed ${feed} names a sequence that an earlier feed names already`);
      seen.add(sequence);
      if (tokens.length === 0) throw new RangeError(`feed ${feed} has 0 tokens; it needs at least 1`);
      const own = this.#steps.owned(sequence);
      this.#steps.check(own, tokens);
      if (own.length === 0) own.promptLength = promptLength ?? tokens.length;
      return { sequence: own, tokens };
    };
    return feeds.map((feed, i) => {
      const { combination } = feed;
      const parts = [feed, ...(combination?.rows ?? [])].map((row) => partOf(row, i));
      return { parts, combination };
    });
  }
}

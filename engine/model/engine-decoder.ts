// The decoder of a loaded model: cuts feeds of tokens into steps and reads the logits, or the tokens chosen, after their last tokens.

import { DeviceError } from "../devices/device.ts";
import type { CachePolicy } from "../cache/policies/policy.ts";
import type { CachedSequence } from "../cache/sequence.ts";
import type {
  DecoderSequence,
  Feed,
  TopLogits,
  TopLogitsOptions,
  SequenceOptions,
  WatchableDecoder,
} from "../generate/decoder.ts";
import { cutIntoChunks, type Chunk, type Part } from "./chunks.ts";
import { topKTensors } from "./top-logits.ts";
import { wholeRead } from "./step-inputs.ts";
import type { Stage } from "./draft.ts";
import type { Numbers, Steps, StepReads } from "./steps.ts";

/** How the sequences of a decoder are opened. */
export interface EngineDecoderOptions {
  /** which keys stay; the model's own way by default */
  readonly policy?: CachePolicy | undefined;
}

/** Decodes with a model's steps. All sequences of a decoder have the same policy; several decoders can share the steps. */
export class EngineDecoder implements WatchableDecoder {
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly #steps: Steps;
  readonly #policy: CachePolicy | undefined;

  constructor(steps: Steps, { policy }: EngineDecoderOptions = {}) {
    this.#steps = steps;
    this.#policy = policy;
    this.vocabSize = steps.config.vocabSize;
    this.contextLength = steps.contextLength;
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

  async logits(feeds: readonly Feed[], signal?: AbortSignal): Promise<Float32Array[]> {
    const { vocabSize } = this;
    const results: Float32Array[] = [];
    for (const chunk of this.#chunks(feeds)) {
      const { outputs } = chunk;
      const [logits] = await this.#step(chunk, "logits", signal, {
        reads: (activations) => [wholeRead(activations.outputs("logits", vocabSize), outputs.length * vocabSize)],
      });
      for (const [i, { feed }] of outputs.entries()) {
        results[feed] = (logits as Float32Array).subarray(i * vocabSize, (i + 1) * vocabSize);
      }
    }
    signal?.throwIfAborted();
    return results;
  }

  async greedy(feeds: readonly Feed[], signal?: AbortSignal): Promise<Uint32Array> {
    const tokens = new Uint32Array(feeds.length);
    for (const chunk of this.#chunks(feeds)) {
      const { outputs } = chunk;
      const [best] = await this.#step(chunk, "greedy", signal, {
        reads: ({ ports }) => [wholeRead(ports.best, outputs.length)],
      });
      for (const [i, { feed }] of outputs.entries()) tokens[feed] = best![i]!;
    }
    signal?.throwIfAborted();
    return tokens;
  }

  async *greedyRun(
    feeds: readonly Feed[],
    steps: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint32Array, void, undefined> {
    const [chunk, ...others] = this.#chunks(feeds);
    const isDecoding = others.length === 0 && feeds.every(({ tokens }) => tokens.length === 1);
    if (!chunk || !isDecoding) {
      yield await this.greedy(feeds, signal);
      return;
    }
    const outputs = chunk.outputs.map(({ row }) => row);
    yield* await this.#steps.runAhead({ parts: chunk.parts, outputs, signal }, steps);
  }

  async topLogits(
    feeds: readonly Feed[],
    { temperature, isEnough }: TopLogitsOptions,
    signal?: AbortSignal,
  ): Promise<(TopLogits | Float32Array)[]> {
    const { vocabSize } = this;
    const variables = { inverseTemperature: 1 / temperature };
    const answers: (TopLogits | Float32Array)[] = [];
    try {
      for (const chunk of this.#chunks(feeds)) {
        const { outputs } = chunk;
        let rows: TopLogits[] = [];
        let wholeRows: number[] = [];
        const reads: StepReads = {
          reads: (activations) => {
            const { k, values, columnOf, total } = topKTensors(activations, vocabSize);
            const count = outputs.length;
            return [wholeRead(values, count * k), wholeRead(columnOf, count * k), wholeRead(total, count)];
          },
          more: (data, activations) => {
            rows = splitTopLogits(data, outputs.length);
            const logits = activations.outputs("logits", vocabSize);
            wholeRows = [...rows.keys()].filter((row) => !isEnough(rows[row]!));
            return wholeRows.map((row) => ({ tensor: logits, begin: row * vocabSize, end: (row + 1) * vocabSize }));
          },
        };
        const [, , , ...whole] = await this.#step(chunk, "topLogits", signal, reads, variables);
        for (const [i, { feed }] of outputs.entries()) {
          answers[feed] = wholeRows.includes(i) ? (whole[wholeRows.indexOf(i)] as Float32Array) : rows[i]!;
        }
      }
    } catch (error) {
      // The device has no top-K kernel that fits: the sampler chooses from whole rows.
      if (error instanceof DeviceError && error.kind === "unfit") return this.logits(feeds, signal);
      throw error;
    }
    signal?.throwIfAborted();
    return answers;
  }

  /** Cuts feeds into the chunks of steps. Throws unless each sequence is the model's, appears once, and gets a token or more. */
  #chunks(feeds: readonly Feed[]): Chunk[] {
    const seen = new Set<DecoderSequence>();
    const parts = feeds.map(({ sequence, tokens, promptLength }, feed): Part => {
      if (seen.has(sequence)) throw new RangeError(`feed ${feed} names a sequence that an earlier feed names already`);
      seen.add(sequence);
      if (tokens.length === 0) throw new RangeError(`feed ${feed} has 0 tokens; it needs at least 1`);
      const own = this.#steps.owned(sequence);
      this.#steps.check(own, tokens);
      if (own.length === 0) own.promptLength = promptLength ?? tokens.length;
      return { sequence: own, tokens };
    });
    return cutIntoChunks(parts, this.#steps.chunkRows);
  }

  /** Makes the step of a chunk. A chunk in which no feed ends stops at the body and reads nothing. */
  #step(
    { parts, outputs }: Chunk,
    until: Stage,
    signal: AbortSignal | undefined,
    reads: StepReads,
    variables?: Readonly<Record<string, number>>,
  ): Promise<readonly Numbers[]> {
    if (outputs.length === 0) return this.#steps.run({ parts, outputs: [], until: "body", signal });
    return this.#steps.run({ parts, outputs: outputs.map(({ row }) => row), until, variables, signal }, reads);
  }
}

/** Splits the numbers read from {@link topKTensors} into rows. */
function splitTopLogits([values, tokens, totals]: readonly Numbers[], rows: number): TopLogits[] {
  const k = values!.length / rows;
  return Array.from({ length: rows }, (_, row) => ({
    tokens: tokens!.subarray(row * k, (row + 1) * k) as Uint32Array,
    logits: values!.subarray(row * k, (row + 1) * k) as Float32Array,
    total: totals![row]!,
  }));
}

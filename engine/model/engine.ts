// The engine: a device, a model's weights on it, the cache, and the recorded forward pass. It turns feeds of tokens into steps
// of rows and reads back what was asked for; text, sampling and policies are above it.

import { DENSE, type VisibilityParams } from "../../kernels/index.ts";
import type { ModelConfig } from "../../loaders/index.ts";
import { CacheStore, Sequence } from "../cache/store.ts";
import type { Device, Executable, Read, Write } from "../devices/device.ts";
import type { Decoder, DecoderSequence, Feed } from "../generate/decoder.ts";
import { Activations } from "./activations.ts";
import { Rotation } from "./rotation.ts";
import { recordForward, type Look, type Recording } from "./transformer.ts";
import type { ModelWeights } from "./weights.ts";

/** How an engine is set up. */
export interface EngineOptions {
  /** most tokens of a sequence; the model's own limit by default, and never more */
  readonly contextLength?: number | undefined;
  /** most keys of all sequences together */
  readonly maxSlots?: number | undefined;
  /** rows of a prefill step; the device's preference by default */
  readonly chunkRows?: number | undefined;
}

/** A recorded forward pass made ready by the device. */
export interface Prepared {
  readonly recording: Recording;
  readonly executable: Executable;
}

/** Rows of one step. */
interface Chunk {
  readonly parts: { readonly sequence: Sequence; readonly tokens: readonly number[] }[];
  /** row within the chunk -> index of the feed that ends there */
  readonly outputs: { row: number; feed: number }[];
}

/** What a step has written and says to the kernels. */
export interface StepInputs {
  readonly rows: number;
  readonly writes: Write[];
  readonly variables: Record<string, number>;
}

const DEFAULT_MAX_SLOTS = 1 << 20;

export class Engine implements Decoder {
  readonly device: Device;
  readonly config: ModelConfig;
  readonly weights: ModelWeights;
  readonly store: CacheStore;
  readonly activations: Activations;
  readonly contextLength: number;
  readonly chunkRows: number;
  readonly rule: VisibilityParams;
  readonly #rotation: Rotation | undefined;
  readonly #isAnchor: (token: number) => boolean;
  #forward: Prepared | undefined;

  private constructor(device: Device, config: ModelConfig, weights: ModelWeights, options: EngineOptions) {
    this.device = device;
    this.config = config;
    this.weights = weights;
    this.contextLength = Math.min(options.contextLength ?? config.contextLength, config.contextLength);
    this.chunkRows = options.chunkRows ?? device.preferredRows;
    const { layers, kvHeads, headDim, anchors } = config;
    const maxSlots = options.maxSlots ?? DEFAULT_MAX_SLOTS;
    this.store = new CacheStore(device, { layers, kvHeads, headDim, maxSlots });
    this.activations = new Activations(device, config, this.chunkRows);
    this.#rotation = config.rotary ? new Rotation(config.rotary) : undefined;
    const anchorIds = new Set(anchors?.tokenIds);
    this.#isAnchor = (token) => anchorIds.has(token);
    this.rule = anchors
      ? { ...DENSE, segmented: 1, sinks: anchors.sinks, anchorSeesAnchors: Number(anchors.anchorSeesAnchors) }
      : DENSE;
  }

  /** Sets up the cache and activations, and prepares the forward pass. */
  static async create(
    device: Device,
    config: ModelConfig,
    weights: ModelWeights,
    options: EngineOptions & { signal?: AbortSignal; onProgress?: (done: number, of: number) => void } = {},
  ): Promise<Engine> {
    const engine = new Engine(device, config, weights, options);
    engine.#forward = await engine.prepare(undefined, options);
    return engine;
  }

  get vocabSize(): number {
    return this.config.vocabSize;
  }

  /** Records and prepares a forward pass; with `look` an open one. */
  async prepare(
    look?: Look,
    options: { signal?: AbortSignal; onProgress?: (done: number, of: number) => void } = {},
  ): Promise<Prepared> {
    const { config, weights, store, activations } = this;
    const recording = recordForward({ config, weights, store, activations }, look);
    const executable = await this.device.prepare(recording.program, options);
    return { recording, executable };
  }

  /** The fused forward pass. */
  get forward(): Prepared {
    return this.#forward!;
  }

  open(): Sequence {
    return this.store.open();
  }

  fork(sequence: DecoderSequence): Sequence {
    return this.store.fork(this.#own(sequence));
  }

  close(sequence: DecoderSequence): void {
    this.store.close(this.#own(sequence));
  }

  async logits(feeds: readonly Feed[], signal?: AbortSignal): Promise<Float32Array[]> {
    const { logits } = this.forward.recording;
    const { vocabSize } = this.config;
    const tensor = this.activations.outputs("logits", vocabSize);
    const results: Float32Array[] = [];
    await this.#feed(feeds, signal, logits, ({ outputs }) => ({
      read: { tensor, begin: 0, end: outputs.length * vocabSize },
      take: (data) => {
        for (const [i, { feed }] of outputs.entries()) {
          results[feed] = (data as Float32Array).subarray(i * vocabSize, (i + 1) * vocabSize);
        }
      },
    }));
    return results;
  }

  async greedy(feeds: readonly Feed[], signal?: AbortSignal): Promise<Uint32Array> {
    const { greedy } = this.forward.recording;
    const tensor = this.activations.ports.best;
    const tokens = new Uint32Array(feeds.length);
    await this.#feed(feeds, signal, greedy, ({ outputs }) => ({
      read: { tensor, begin: 0, end: outputs.length },
      take: (data) => {
        for (const [i, { feed }] of outputs.entries()) tokens[feed] = data[i]!;
      },
    }));
    return tokens;
  }

  /** Log-probabilities of tokens[1..] given what comes before each, [tokens.length - 1]. */
  async tokenLogProbs(tokens: readonly number[], signal?: AbortSignal): Promise<Float32Array> {
    const { recording, executable } = this.forward;
    const { outputRows, targets, logProbs } = this.activations.ports;
    const result = new Float32Array(Math.max(0, tokens.length - 1));
    const sequence = this.open();
    try {
      for (let begin = 0; begin < result.length; begin += this.chunkRows) {
        signal?.throwIfAborted();
        const end = Math.min(result.length, begin + this.chunkRows);
        const inputs = this.step([{ sequence, tokens: tokens.slice(begin, end) }], end - begin);
        inputs.writes.push(
          { tensor: outputRows, data: Uint32Array.from({ length: end - begin }, (_, row) => row) },
          { tensor: targets, data: Uint32Array.from(tokens.slice(begin + 1, end + 1)) },
        );
        const [read] = await this.device.run(executable, {
          variables: inputs.variables,
          writes: inputs.writes,
          reads: [{ tensor: logProbs, begin: 0, end: end - begin }],
          end: recording.scored,
        });
        result.set(read as Float32Array, begin);
      }
      return result;
    } finally {
      this.close(sequence);
      this.activations.shrink(this.chunkRows, 1);
    }
  }

  /** Appends tokens to sequences and gathers what the step must write; rooms for `outputs` rows of logits are made. */
  step(
    parts: readonly { readonly sequence: Sequence; readonly tokens: readonly number[] }[],
    outputs: number,
    hasPatterns = false,
  ): StepInputs {
    const { ports } = this.activations;
    const starts = parts.map(({ sequence }) => sequence.length);
    for (const [i, { tokens }] of parts.entries()) this.#check(tokens, starts[i]!);
    const plan = this.store.append(parts, this.#isAnchor);
    const rows = plan.slots.length;
    this.activations.reserve(rows, outputs, hasPatterns ? rows * plan.longest : 0);
    const positions = Uint32Array.from(
      parts.flatMap(({ tokens }, i) => tokens.map((_, offset) => starts[i]! + offset)),
    );
    const writes: Write[] = [
      { tensor: ports.tokens, data: Uint32Array.from(parts.flatMap(({ tokens }) => [...tokens])) },
      { tensor: ports.positions, data: positions },
      { tensor: ports.slots, data: plan.slots },
      { tensor: ports.ranges, data: plan.ranges },
      ...plan.writes,
    ];
    if (ports.rotation && this.#rotation) {
      writes.push({ tensor: ports.rotation, data: this.#rotation.table(positions) });
    }
    const { slotCount, entryCount } = this.store;
    const { longest: columns } = plan;
    const { window: _window, ...rule } = this.rule;
    return {
      rows,
      writes,
      variables: {
        ...rule,
        rows,
        outputs,
        slotCount,
        entryCount,
        columns,
        doubleColumns: columns * 2,
        lines: rows * this.config.heads,
      },
    };
  }

  dispose(): void {
    this.#forward?.executable.dispose();
    this.store.dispose();
    this.activations.dispose();
  }

  /** Feeds in chunks; the chunks in which feeds end are read, by what `wanted` says. */
  async #feed(
    feeds: readonly Feed[],
    signal: AbortSignal | undefined,
    end: number,
    wanted: (chunk: Chunk) => { read: Read; take: (data: Float32Array | Uint32Array) => void },
  ): Promise<void> {
    const { recording, executable } = this.forward;
    for (const chunk of this.#chunks(feeds)) {
      signal?.throwIfAborted();
      const { outputs, parts } = chunk;
      const { variables, writes } = this.step(parts, outputs.length);
      if (outputs.length === 0) {
        await this.device.run(executable, { variables, writes, end: recording.body });
        continue;
      }
      const data = Uint32Array.from(outputs, ({ row }) => row);
      writes.push({ tensor: this.activations.ports.outputRows, data });
      const { read, take } = wanted(chunk);
      const [values] = await this.device.run(executable, { variables, writes, reads: [read], end });
      take(values!);
    }
    signal?.throwIfAborted();
  }

  /** Cuts feeds into steps of at most `chunkRows` rows, in order. */
  #chunks(feeds: readonly Feed[]): Chunk[] {
    const chunks: Chunk[] = [];
    const seen = new Set<DecoderSequence>();
    let current: Chunk | undefined;
    let room = 0;
    for (const [feed, { sequence, tokens }] of feeds.entries()) {
      if (seen.has(sequence)) throw new RangeError(`feed ${feed} names a sequence that an earlier feed names already`);
      seen.add(sequence);
      if (tokens.length === 0) throw new RangeError(`feed ${feed} has 0 tokens; it needs at least 1`);
      for (let begin = 0; begin < tokens.length;) {
        if (!current || room === 0) {
          current = { parts: [], outputs: [] };
          chunks.push(current);
          room = this.chunkRows;
        }
        const end = Math.min(tokens.length, begin + room);
        current.parts.push({ sequence: this.#own(sequence), tokens: tokens.slice(begin, end) });
        room -= end - begin;
        if (end === tokens.length) current.outputs.push({ row: this.chunkRows - room - 1, feed });
        begin = end;
      }
    }
    return chunks;
  }

  #check(tokens: readonly number[], start: number): void {
    const { vocabSize } = this.config;
    const bad = tokens.find((token) => !(Number.isInteger(token) && token >= 0 && token < vocabSize));
    if (bad !== undefined) throw new RangeError(`token ${bad} is not in the vocabulary of ${vocabSize}`);
    if (start + tokens.length > this.contextLength) {
      throw new RangeError(
        `the sequence would have ${start + tokens.length} tokens; the model's context holds ${this.contextLength}`,
      );
    }
  }

  #own(sequence: DecoderSequence): Sequence {
    if (!(sequence instanceof Sequence)) throw new TypeError("this sequence was not opened by this engine");
    return sequence;
  }
}

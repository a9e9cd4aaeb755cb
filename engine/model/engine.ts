// The engine: a device, a model's weights on it, the cache, and the recorded forward pass. It turns feeds of tokens into steps
// of rows, reads back what was asked for, and lets each sequence's policy drop keys. Text and sampling are above it.

import type { CacheFormat } from "../../kernels/index.ts";
import type { ModelConfig } from "../../loaders/index.ts";
import { joinBytes, joinStatistics, type CacheBytes, type CacheStatistics } from "../cache/bytes.ts";
import type { CachePolicy } from "../cache/policies/policy.ts";
import { CacheStore } from "../cache/store.ts";
import { DeviceError } from "../devices/device.ts";
import type { Device, Executable, PrepareOptions, Read, Write } from "../devices/device.ts";
import type { Decoder, DecoderSequence, Feed, Largest, LargestOptions } from "../generate/decoder.ts";
import { Activations } from "./activations.ts";
import { cutIntoChunks, type Chunk, type Part } from "./chunks.ts";
import { applyPolicy, type SequenceRows, type StepWeights } from "./eviction.ts";
import { resolveKeeping, type Keeping } from "./keeping.ts";
import { largestOf } from "./largest.ts";
import { Rotation } from "./rotation.ts";
import { giveSteps, isForeseeable, Pace, planAhead, type AheadLimits } from "./run-ahead.ts";
import { EngineSequence } from "./sequence.ts";
import { recordForward, type Recording, type RecordOptions } from "./transformer.ts";
import type { ModelWeights } from "./weights.ts";

/** How an engine is set up. */
export interface EngineOptions {
  /** most tokens of a sequence; the model's own limit by default, and never more */
  readonly contextLength?: number | undefined;
  /** most keys of all sequences together */
  readonly maxSlots?: number | undefined;
  /** rows of a prefill step; the device's preference by default */
  readonly chunkRows?: number | undefined;
  /** how many greedy steps are run before their tokens are read; for tests */
  readonly ahead?: AheadLimits | undefined;
  /** what numbers of keys and values are kept as; f32 by default */
  readonly cacheType?: CacheFormat | undefined;
}

/** How a sequence is opened. */
export interface OpenOptions {
  /** which keys stay; the model's own way by default */
  readonly policy?: CachePolicy | undefined;
  /** layers whose attention of the newest token `onAttention` is told of */
  readonly watchedLayers?: readonly number[] | undefined;
}

/** A recorded forward pass made ready by the device. */
export interface Prepared {
  readonly recording: Recording;
  readonly executable: Executable;
}

/** What a step writes, and says to the kernels. */
export interface StepInputs {
  readonly rows: number;
  readonly columns: number;
  readonly writes: Write[];
  readonly variables: Record<string, number>;
}

/** Numbers read from the device. */
type Numbers = Float32Array | Uint32Array;

/** What to read of a step, and what becomes of it. */
export interface Reading {
  readonly reads: readonly Read[];
  /** what to read beside, once `reads` are there */
  readonly more?: (data: readonly Numbers[]) => readonly Read[];
  readonly take: (data: readonly Numbers[], more: readonly Numbers[]) => void;
}

/** A step to be made: the mark of the recording says how far. */
export interface StepOrder {
  readonly parts: readonly Part[];
  readonly outputs: number;
  readonly mark: "body" | "logits" | "greedy" | "scored" | "largest";
  readonly writes: readonly Write[];
  readonly variables?: Readonly<Record<string, number>>;
  readonly signal: AbortSignal | undefined;
}

const DEFAULT_MAX_SLOTS = 1 << 20;

export class Engine implements Decoder {
  readonly device: Device;
  readonly config: ModelConfig;
  readonly weights: ModelWeights;
  readonly activations: Activations;
  readonly contextLength: number;
  readonly chunkRows: number;
  readonly cacheType: CacheFormat;
  readonly #maxSlots: number;
  readonly #rotation: Rotation | undefined;
  /** keys of sequences whose layers keep the same, and of those whose layers differ */
  #shared: CacheStore | undefined;
  #perLayer: CacheStore | undefined;
  readonly #prepared = new Map<string, Promise<Prepared>>();
  readonly #modelsOwn: Keeping;
  readonly #pace: Pace;
  /** the step or pass at hand; the next waits for it */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(device: Device, config: ModelConfig, weights: ModelWeights, options: EngineOptions) {
    this.device = device;
    this.config = config;
    this.weights = weights;
    this.contextLength = Math.min(options.contextLength ?? config.contextLength, config.contextLength);
    this.chunkRows = options.chunkRows ?? device.preferredRows;
    this.cacheType = options.cacheType ?? "f32";
    this.#maxSlots = options.maxSlots ?? DEFAULT_MAX_SLOTS;
    this.activations = new Activations(device, config, this.chunkRows);
    this.#rotation = config.rotary ? new Rotation(config.rotary) : undefined;
    this.#modelsOwn = resolveKeeping(config);
    this.#pace = new Pace(options.ahead);
  }

  /** Sets up the cache and activations, and prepares the forward pass. */
  static async create(
    device: Device,
    config: ModelConfig,
    weights: ModelWeights,
    options: EngineOptions & Pick<PrepareOptions, "signal" | "onProgress"> = {},
  ): Promise<Engine> {
    const engine = new Engine(device, config, weights, options);
    await engine.store.prepare(options.signal);
    await engine.#ready(engine.#modelsOwn, options);
    return engine;
  }

  get vocabSize(): number {
    return this.config.vocabSize;
  }

  /** The store of sequences whose layers keep the same keys. */
  get store(): CacheStore {
    return (this.#shared ??= this.#makeStore(false));
  }

  /** Bytes of keys and values of all sequences. */
  cacheBytes(): CacheBytes {
    return joinBytes(this.#stores().map((store) => store.bytes()));
  }

  /** Bytes over the steps since the last reset; the steps of the two kinds of cache are taken together. */
  cacheStatistics(): CacheStatistics {
    return joinStatistics(this.#stores().map((store) => store.statistics()));
  }

  resetCacheStatistics(): void {
    for (const store of this.#stores()) store.resetStatistics();
  }

  /** Records and prepares a forward pass over a store. */
  async prepare(store: CacheStore, recordOptions: RecordOptions = {}, options: PrepareOptions = {}): Promise<Prepared> {
    const { config, weights, activations } = this;
    const recording = recordForward({ config, weights, store, activations }, recordOptions);
    const executable = await this.device.prepare(recording.program, options);
    return { recording, executable };
  }

  /** The fused forward pass of sequences kept the model's own way. */
  forward(): Promise<Prepared> {
    return this.#ready(this.#modelsOwn);
  }

  open(options: OpenOptions = {}): EngineSequence {
    const { policy, watchedLayers } = options;
    const keeping = policy || watchedLayers ? resolveKeeping(this.config, policy, watchedLayers) : this.#modelsOwn;
    return new EngineSequence(this.#storeOf(keeping).open(), keeping);
  }

  fork(sequence: DecoderSequence): EngineSequence {
    const own = this.#own(sequence);
    const copy = new EngineSequence(this.#storeOf(own.keeping).fork(own.stored), own.keeping);
    copy.promptLength = own.promptLength;
    return copy;
  }

  close(sequence: DecoderSequence): void {
    const own = this.#own(sequence);
    this.#storeOf(own.keeping).close(own.stored);
  }

  async logits(feeds: readonly Feed[], signal?: AbortSignal): Promise<Float32Array[]> {
    const { vocabSize } = this.config;
    const results: Float32Array[] = [];
    const tensor = this.activations.outputs("logits", vocabSize);
    await this.feed(feeds, signal, "logits", {}, ({ outputs }) => ({
      reads: [{ tensor, begin: 0, end: outputs.length * vocabSize }],
      take: ([data]) => {
        for (const [i, { feed }] of outputs.entries()) {
          results[feed] = (data as Float32Array).subarray(i * vocabSize, (i + 1) * vocabSize);
        }
      },
    }));
    return results;
  }

  async greedy(feeds: readonly Feed[], signal?: AbortSignal): Promise<Uint32Array> {
    const tokens = new Uint32Array(feeds.length);
    await this.feed(feeds, signal, "greedy", {}, ({ outputs }) => ({
      reads: [{ tensor: this.activations.ports.best, begin: 0, end: outputs.length }],
      take: ([data]) => {
        for (const [i, { feed }] of outputs.entries()) tokens[feed] = data![i]!;
      },
    }));
    return tokens;
  }

  async largest(
    feeds: readonly Feed[],
    options: LargestOptions,
    signal?: AbortSignal,
  ): Promise<(Largest | Float32Array)[]> {
    try {
      return await largestOf(this, feeds, options, signal);
    } catch (error) {
      // the device has no kernel that chooses: the caller does, from whole rows
      if (error instanceof DeviceError && error.kind === "unfit") return this.logits(feeds, signal);
      throw error;
    }
  }

  async *greedyRun(
    feeds: readonly Feed[],
    steps: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint32Array, void, undefined> {
    const [chunk, ...more] = this.#chunks(feeds);
    const most = Math.min(steps, this.#pace.stepsOf(feeds.length));
    const { keeping } = chunk!.parts[0]!.sequence;
    const isDecoding = more.length === 0 && feeds.every(({ tokens }) => tokens.length === 1);
    if (most === 1 || !isDecoding || !isForeseeable(keeping)) {
      yield await this.#pace.time(1, () => this.greedy(feeds, signal));
      return;
    }
    const { recording, executable } = await this.#ready(keeping);
    const store = this.#storeOf(keeping);
    const chosen = await this.exclusive(async () => {
      signal?.throwIfAborted();
      const planned = planAhead(this, store, chunk!, most, recording.greedy);
      return this.#pace.time(planned.length, () => this.device.run(executable, ...planned));
    });
    yield* giveSteps(store, chunk!.parts, chosen as Uint32Array[], signal);
  }

  /** Runs a task that must not be interleaved with other steps of this engine. */
  exclusive<T>(task: () => T | Promise<T>): Promise<T> {
    const result = this.#turn.then(task);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Gives back the activations that an unusually large step needed. */
  shrink(): void {
    this.activations.shrink({ rows: this.chunkRows, outputs: 1, lines: 0 });
  }

  /**
   * Appends tokens to sequences kept in one way, and gathers what the step must write. Room for `outputs` rows of logits is made,
   * and for patterns if the step makes any. To be followed at once by the step's run. Fed ahead, tokens are on the device already.
   */
  plan(parts: readonly Part[], outputs: number, hasPatterns: boolean, isAhead = false): StepInputs {
    const { ports } = this.activations;
    const { keeping } = parts[0]!.sequence;
    for (const { sequence, tokens } of parts) this.#check(tokens, sequence.length);
    const positions = Uint32Array.from(
      parts.flatMap(({ sequence, tokens }) => tokens.map((_, offset) => sequence.length + offset)),
    );
    const store = this.#storeOf(keeping);
    const plan = store.append(
      parts.map(({ sequence, tokens }) => ({
        sequence: sequence.stored,
        anchors: tokens.map((token, offset) => keeping.isAnchor(token, sequence.length + offset)),
      })),
      isAhead,
    );
    const { rows, longest: columns } = plan;
    this.activations.reserve({ rows, outputs, lines: hasPatterns ? rows * columns : 0 });
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
    const { window: _window, ...rule } = keeping.rule;
    const variables: Record<string, number> = {
      ...rule,
      rows,
      outputs,
      entryCount: store.entryCount,
      vectorCount: this.activations.vectorCount,
      columns,
      doubleColumns: columns * 2,
      lines: rows * this.config.heads,
    };
    for (const [list, pool] of store.pools.entries()) variables[`slotCount.${list}`] = pool.slotCount;
    return { rows, columns, writes, variables };
  }

  /** Frees the cache, the activations and the weights. */
  dispose(): void {
    for (const prepared of this.#prepared.values()) {
      prepared.then(({ executable }) => executable.dispose()).catch(() => undefined);
    }
    for (const store of this.#stores()) store.dispose();
    this.activations.dispose();
    for (const weight of this.weights.all) this.device.destroy(weight);
  }

  /**
   * Feeds in chunks, sequences kept in one way together, with variables of the caller's; the chunks in which feeds end are read, by
   * what `reading` says.
   */
  async feed(
    feeds: readonly Feed[],
    signal: AbortSignal | undefined,
    mark: "logits" | "greedy" | "largest",
    variables: Readonly<Record<string, number>>,
    reading: (chunk: Chunk) => Reading,
  ): Promise<void> {
    for (const chunk of this.#chunks(feeds)) {
      const { outputs, parts } = chunk;
      if (outputs.length === 0) {
        await this.step({ parts, outputs: 0, mark: "body", writes: [], signal });
        continue;
      }
      const rows = { tensor: this.activations.ports.outputRows, data: Uint32Array.from(outputs, ({ row }) => row) };
      const step = { parts, outputs: outputs.length, mark, writes: [rows], variables, signal };
      await this.step(step, reading(chunk));
    }
    signal?.throwIfAborted();
  }

  /** One step: its rows are appended, computed up to a mark of the recording, and the policies act. */
  async step({ parts, outputs, mark, writes, signal, ...step }: StepOrder, reading?: Reading): Promise<void> {
    const { keeping } = parts[0]!.sequence;
    const { recording, executable } = await this.#ready(keeping, {}, mark === "largest");
    await this.exclusive(async () => {
      signal?.throwIfAborted();
      const { weighedLayers } = keeping;
      const inputs = this.plan(parts, outputs, weighedLayers.length > 0);
      const { rows, columns, variables } = inputs;
      const normLayers = keeping.wantsKeyNorms ? Array.from({ length: this.config.layers }, (_, i) => i) : [];
      const reads = reading?.reads ?? [];
      const values = await this.device.run(executable, {
        variables: { ...variables, ...step.variables },
        writes: [...inputs.writes, ...writes],
        reads: [
          ...reads,
          ...weighedLayers.map((layer) => ({ tensor: this.activations.weights(layer), begin: 0, end: rows * columns })),
          ...normLayers.map((layer) => ({ tensor: this.activations.keyNorms(layer), begin: 0, end: rows })),
        ],
        end: recording[mark],
      });
      const own = values.slice(0, reads.length);
      const more = values.slice(reads.length) as Float32Array[];
      const further = await Promise.all((reading?.more?.(own) ?? []).map((read) => this.device.read(read)));
      const byLayer = (layers: readonly number[], offset: number) =>
        new Map(layers.map((layer, i) => [layer, more[offset + i]!]));
      this.#applyPolicies(parts, {
        weights: byLayer(weighedLayers, 0),
        keyNorms: byLayer(normLayers, weighedLayers.length),
        columns,
      });
      reading?.take(own, further);
    });
  }

  #applyPolicies(parts: readonly Part[], read: StepWeights): void {
    let begin = 0;
    for (const { sequence, tokens } of parts) {
      const rows: SequenceRows = { sequence, begin, end: begin + tokens.length };
      const { layers, heads } = this.config;
      if (sequence.stored.isOpen) applyPolicy(this.#storeOf(sequence.keeping), rows, read, layers, heads);
      begin = rows.end;
    }
    this.#storeOf(parts[0]!.sequence.keeping).countStep();
  }

  /** The feeds as steps; each sequence is this engine's, appears once, and gets at least one token. */
  #chunks(feeds: readonly Feed[]): Chunk[] {
    const seen = new Set<DecoderSequence>();
    const parts = feeds.map(({ sequence, tokens, promptLength }, feed): Part => {
      if (seen.has(sequence)) throw new RangeError(`feed ${feed} names a sequence that an earlier feed names already`);
      seen.add(sequence);
      if (tokens.length === 0) throw new RangeError(`feed ${feed} has 0 tokens; it needs at least 1`);
      const own = this.#own(sequence);
      this.#check(tokens, own.length);
      if (own.length === 0) own.promptLength = promptLength ?? tokens.length;
      return { sequence: own, tokens };
    });
    return cutIntoChunks(parts, this.chunkRows);
  }

  #check(tokens: readonly number[], start: number): void {
    const { vocabSize } = this.config;
    // Numbers behind the vocabulary's are vectors that were kept.
    const limit = vocabSize + this.activations.keptVectors;
    const bad = tokens.find((token) => !(Number.isInteger(token) && token >= 0 && token < limit));
    if (bad !== undefined) throw new RangeError(`token ${bad} is not in the vocabulary of ${vocabSize}`);
    if (start + tokens.length > this.contextLength) {
      throw new RangeError(
        `the sequence would have ${start + tokens.length} tokens; the model's context holds ${this.contextLength}`,
      );
    }
  }

  /** The fused forward pass for sequences kept in this way, recorded on first use. */
  #ready(
    keeping: Keeping,
    options: { signal?: AbortSignal; onProgress?: (done: number, of: number) => void } = {},
    wantsLargest = false,
  ): Promise<Prepared> {
    const { isPerLayer, weighedLayers, wantsKeyNorms } = keeping;
    const key = JSON.stringify([isPerLayer, weighedLayers, wantsKeyNorms, wantsLargest]);
    const held = this.#prepared.get(key);
    if (held) return held;
    const store = this.#storeOf(keeping);
    const made = store
      .prepare()
      .then(() => this.prepare(store, { weighedLayers, wantsKeyNorms, wantsLargest }, options));
    this.#prepared.set(key, made);
    made.catch(() => this.#prepared.delete(key));
    return made;
  }

  #stores(): CacheStore[] {
    return [this.#shared, this.#perLayer].filter((store) => store !== undefined);
  }

  #storeOf({ isPerLayer }: Keeping): CacheStore {
    if (!isPerLayer) return this.store;
    this.#perLayer ??= this.#makeStore(true);
    return this.#perLayer;
  }

  #makeStore(isPerLayer: boolean): CacheStore {
    const near = this.weights.layers.map(({ qkv }) => qkv.weight);
    const shape = { ...this.config, format: this.cacheType, isPerLayer, maxSlots: this.#maxSlots, near };
    return new CacheStore(this.device, shape);
  }

  #own(sequence: DecoderSequence): EngineSequence {
    if (!(sequence instanceof EngineSequence)) throw new TypeError("this sequence was not opened by this engine");
    return sequence;
  }
}

// The one place where a step is made. `Steps` owns the device's activations, the stores of keys and values, the recorded forward
// passes, and the queue of turns. A step appends rows to sequences, writes its inputs, replays a recording up to a stage, reads
// results back, and lets the policies drop keys. Decoding, scoring, captures and tuning are
// loops over `run`, `runAhead` and `pass`.
//
// Invariant: one turn at a time. No other step of this model runs between the append of a step's rows and its policies.

import type { ModelConfig } from "../../loaders/index.ts";
import type { CacheFormat } from "../../kernels/index.ts";
import type { CacheBytes, CacheStatistics } from "../cache/bytes.ts";
import type { applyPolicy as ApplyPolicy, StepStatistics } from "../cache/eviction.ts";
import { resolveKeeping, type Keeping } from "../cache/keeping.ts";
import type { CachePolicy } from "../cache/policies/policy.ts";
import { CachedSequence } from "../cache/sequence.ts";
import { CacheStores } from "../cache/stores.ts";
import { DeviceError, type Device, type PrepareOptions, type Read, type Step, type Write } from "../devices/device.ts";
import type { Call, Program } from "../devices/program.ts";
import type { DecoderSequence } from "../generate/decoder.ts";
import { Activations } from "./activations.ts";
import type { Part } from "./chunks.ts";
import type { Stage } from "./draft.ts";
import type { PassParts } from "./pass.ts";
import { Recordings } from "./recordings.ts";
import { Rotation } from "./rotation.ts";
import { AheadResults, isForeseeable, Pace, type AheadLimits } from "./run-ahead.ts";
import { checkFeed, planAhead, planStep, wholeRead, type PlanningParts } from "./step-inputs.ts";
import type { KeyedTaps } from "./taps.ts";
import { Turns } from "./turns.ts";
import type { ModelWeights } from "./weights.ts";

/** Sizes and limits of the steps of one model. */
export interface StepsOptions {
  /** most tokens of a sequence; the model's own limit by default, and never more */
  readonly contextLength?: number | undefined;
  /** most keys of all sequences together */
  readonly maxSlots?: number | undefined;
  /** rows of a prefill step; the device's preference by default */
  readonly chunkRows?: number | undefined;
  /** how many greedy steps run before their tokens are read; for tests */
  readonly ahead?: AheadLimits | undefined;
  /** format of the numbers of keys and values; f32 by default */
  readonly cacheType?: CacheFormat | undefined;
}

/** How a sequence is opened. */
export interface OpenOptions {
  /** which keys stay; the model's own way by default */
  readonly policy?: CachePolicy | undefined;
  /** layers whose attention of the newest token is passed to `onAttention` */
  readonly watchedLayers?: readonly number[] | undefined;
  /** [count, dim] vectors that the sequence and its forks may name as tokens vocabSize, vocabSize + 1, … */
  readonly vectors?: Float32Array | undefined;
}

/** The parts of a sequence that are freed with it. */
type Held = Pick<CachedSequence, "stored" | "keeping" | "vectors">;

/** A step to make. */
export interface StepRequest {
  /** rows of sequences with one `stepKey`; each sequence once */
  readonly parts: readonly Part[];
  /** rows of the step whose logits are wanted */
  readonly outputs: readonly number[];
  readonly until: Stage;
  /** [outputs] tokens, for the stage "scored" */
  readonly targets?: readonly number[] | undefined;
  /** further variables of the recording */
  readonly variables?: Readonly<Record<string, number>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Numbers read from the device. */
export type Numbers = Float32Array | Uint32Array;

/** The reads of a step. */
export interface StepReads {
  readonly reads: (activations: Activations) => readonly Read[];
  /** further reads, made after the first results have arrived and before anything else runs */
  readonly more?: ((data: readonly Numbers[], activations: Activations) => readonly Read[]) | undefined;
}

/** A caller's program over the model's activations. */
export interface StepsProgram {
  /** Takes a turn and replays the program once. */
  run(step: (activations: Activations) => Step): Promise<readonly Numbers[]>;
  dispose(): void;
}

const DEFAULT_MAX_SLOTS = 1 << 20;

/** Makes the steps of one model on one device. Dispose of it to free the weights, the cache and the activations. */
export class Steps {
  readonly config: ModelConfig;
  readonly contextLength: number;
  readonly chunkRows: number;
  readonly cacheType: CacheFormat;
  readonly #device: Device;
  readonly #weights: ModelWeights;
  readonly #activations: Activations;
  readonly #recordings: Recordings;
  readonly #planning: PlanningParts;
  readonly #stores: CacheStores;
  readonly #modelKeeping: Keeping;
  readonly #pace: Pace;
  readonly #sequences = new WeakSet<CachedSequence>();
  /** closes what nobody holds anymore, as in an iterator that was dropped before its end */
  readonly #dropped = new FinalizationRegistry<Held>((held) => this.#release(held));
  /** for functions of the caller's that run in a step */
  readonly turns = new Turns("model");
  #isDisposed = false;

  private constructor(device: Device, config: ModelConfig, weights: ModelWeights, options: StepsOptions) {
    this.#device = device;
    this.config = config;
    this.#weights = weights;
    this.contextLength = Math.min(options.contextLength ?? config.contextLength, config.contextLength);
    this.chunkRows = options.chunkRows ?? device.preferredRows;
    this.cacheType = options.cacheType ?? "f32";
    const { cacheType, contextLength } = this;
    const near = weights.layers.map(({ qkv }) => qkv.weight);
    const maxSlots = options.maxSlots ?? DEFAULT_MAX_SLOTS;
    this.#stores = new CacheStores(device, { ...config, format: cacheType, maxSlots, near });
    this.#activations = new Activations(device, config, this.chunkRows);
    this.#recordings = new Recordings(device, { config, weights, activations: this.#activations });
    const rotation = config.rotary ? new Rotation(config.rotary) : undefined;
    this.#planning = { config, contextLength, activations: this.#activations, rotation };
    this.#modelKeeping = resolveKeeping(config);
    this.#pace = new Pace(options.ahead);
  }

  /** Sets up cache and activations and prepares the fused forward pass. The weights are then owned by the result; a failure frees all. */
  static async create(
    device: Device,
    config: ModelConfig,
    weights: ModelWeights,
    options: StepsOptions & Pick<PrepareOptions, "signal" | "onProgress"> = {},
  ): Promise<Steps> {
    const steps = new Steps(device, config, weights, options);
    const { signal, onProgress } = options;
    try {
      const store = steps.#stores.of(steps.#modelKeeping);
      await steps.#recordings.fused(store, steps.#modelKeeping, false, { signal, onProgress });
      signal?.throwIfAborted();
      return steps;
    } catch (error) {
      steps.dispose();
      throw error;
    }
  }

  /** Bytes of keys and values of all sequences. */
  cacheBytes(): CacheBytes {
    return this.#stores.bytes();
  }

  /** Bytes over the steps since the last reset, over both kinds of cache. */
  cacheStatistics(): CacheStatistics {
    return this.#stores.statistics();
  }

  /** Resets the statistics. */
  resetCacheStatistics(): void {
    this.#stores.resetStatistics();
  }

  /** Opens an empty sequence. Throws a RangeError for options that do not fit the model. */
  open(options: OpenOptions = {}): CachedSequence {
    this.#checkAlive();
    const { policy, watchedLayers, vectors } = options;
    const keeping = policy || watchedLayers ? resolveKeeping(this.config, policy, watchedLayers) : this.#modelKeeping;
    const block = vectors && this.#activations.vectors.add(vectors);
    return this.#own(new CachedSequence(this.#stores.of(keeping).open(), keeping, block));
  }

  /** Opens a second sequence with the same past. Throws a TypeError for a sequence that is closed or another model's. */
  fork(sequence: DecoderSequence): CachedSequence {
    const own = this.owned(sequence);
    const copy = this.#own(new CachedSequence(this.#stores.of(own.keeping).fork(own.stored), own.keeping, own.vectors));
    copy.promptLength = own.promptLength;
    if (own.vectors) this.#activations.vectors.retain(own.vectors);
    return copy;
  }

  /** Frees the keys and vectors that no other sequence shares. Closing twice does nothing. */
  close(sequence: DecoderSequence): void {
    const own = this.owned(sequence);
    this.#dropped.unregister(own);
    this.#release(own);
  }

  #release({ stored, keeping, vectors }: Held): void {
    if (!stored.isOpen || this.#isDisposed) return;
    this.#stores.of(keeping).close(stored);
    if (vectors) this.#activations.vectors.release(vectors);
  }

  /**
   * Drops the tokens of a sequence from `length` on. Returns false and changes nothing if its policy keeps statistics or has evicted
   * keys: the remaining keys would differ from those that `length` tokens leave.
   */
  truncate(sequence: DecoderSequence, length: number): boolean {
    const { stored, keeping } = this.owned(sequence);
    if (!(Number.isInteger(length) && length >= 0 && length <= stored.length)) {
      throw new RangeError(`a sequence of ${stored.length} tokens cannot be cut to ${length}`);
    }
    return !keeping.policy.keep && this.#stores.of(keeping).truncate(stored, length);
  }

  /** Returns the sequence with its type. Throws a TypeError for a sequence of another model. */
  owned(sequence: DecoderSequence): CachedSequence {
    if (sequence instanceof CachedSequence && this.#sequences.has(sequence)) return sequence;
    throw new TypeError("this sequence was not opened by this model");
  }

  /**
   * Makes one step: appends its rows, computes them up to a stage, reads, and applies the policies. Resolves with the numbers in the
   * order of the reads, followed by those of `more`. Throws a TypeError for a closed sequence and a RangeError for tokens, lengths
   * and slots out of range, before anything changes.
   */
  async run(request: StepRequest, { reads, more }: StepReads = { reads: () => [] }): Promise<readonly Numbers[]> {
    const { parts, outputs, until, signal } = request;
    const { keeping } = parts[0]!.sequence;
    const { attentionLayers, wantsKeyNorms } = keeping;
    const { recording, executable } = await this.#prepared(keeping, until === "topLogits");
    const store = this.#stores.of(keeping);
    // Loaded with the first policy that acts between steps.
    const acts = parts.some(({ sequence }) => sequence.keeping.policy.budget || !isForeseeable(sequence.keeping));
    const eviction = acts ? await import("../cache/eviction.ts") : undefined;
    return this.#takeTurn(signal, async () => {
      const inputs = planStep(this.#planning, store, parts, { outputs, hasPatterns: attentionLayers.length > 0 });
      const { rows, columns } = inputs;
      const normLayers = wantsKeyNorms ? Array.from({ length: this.config.layers }, (_, layer) => layer) : [];
      const own = reads(this.#activations);
      const values = await this.#device.run(executable, {
        variables: { ...inputs.variables, ...request.variables },
        writes: [...inputs.writes, ...this.#targets(request)],
        reads: [
          ...own,
          ...attentionLayers.map((layer) => wholeRead(this.#activations.attentionSums(layer), rows * columns)),
          ...normLayers.map((layer) => wholeRead(this.#activations.keyNorms(layer), rows)),
        ],
        end: recording[until],
      });
      const data = values.slice(0, own.length);
      const statistics = values.slice(own.length) as Float32Array[];
      const further = await Promise.all((more?.(data, this.#activations) ?? []).map((read) => this.#device.read(read)));
      const byLayer = (layers: readonly number[], offset: number) =>
        new Map(layers.map((layer, i) => [layer, statistics[offset + i]!]));
      this.#applyPolicies(eviction?.applyPolicy, parts, {
        attention: byLayer(attentionLayers, 0),
        keyNorms: byLayer(normLayers, attentionLayers.length),
        columns,
      });
      return [...data, ...further];
    });
  }

  /**
   * Runs ahead: makes 1 to `most` greedy steps of one token each. The first step feeds the request's tokens; each later step feeds, on
   * the device, the tokens that the step before chose. Taking a result confirms its step; results that are not taken are rolled back.
   */
  async runAhead({ parts, outputs, signal }: Omit<StepRequest, "until">, most: number): Promise<AheadResults> {
    const { keeping } = parts[0]!.sequence;
    const { recording, executable } = await this.#prepared(keeping, false);
    const store = this.#stores.of(keeping);
    const count = isForeseeable(keeping) ? Math.min(most, this.#pace.stepsOf(parts.length)) : 1;
    const chosen = await this.#pace.time(async () => {
      if (count > 1) {
        const planned = () => planAhead(this.#planning, store, parts, { outputs, count, end: recording.greedy });
        return this.#takeTurn(signal, () => this.#device.run(executable, ...planned()));
      }
      const reads = ({ ports }: Activations) => [wholeRead(ports.best, parts.length)];
      return this.run({ parts, outputs, until: "greedy", signal }, { reads });
    });
    return new AheadResults(store, parts, chosen as Uint32Array[], { isCounted: count === 1, signal });
  }

  /**
   * Runs a task on a pass with these taps over `tokens` in a new sequence, then frees the sequence and the memory that the pass took.
   * No other step of this model runs meanwhile.
   */
  async pass<T>(
    tokens: readonly number[],
    taps: KeyedTaps | undefined,
    options: OpenOptions & { readonly hasPatterns: boolean; readonly signal?: AbortSignal | undefined },
    task: (parts: PassParts) => Promise<T>,
  ): Promise<T> {
    const { hasPatterns, signal } = options;
    const store = this.#stores.of(this.#modelKeeping);
    const within = (prepared: Awaited<ReturnType<Recordings["fused"]>>) =>
      this.#takeTurn(signal, async () => {
        const sequence = this.open(options);
        try {
          const inputs = planStep(this.#planning, store, [{ sequence, tokens }], { outputs: [0], hasPatterns });
          return await task({ device: this.#device, activations: this.#activations, prepared, inputs, signal });
        } finally {
          this.close(sequence);
          this.#shrink();
        }
      });
    this.turns.throwIfWithin();
    if (!taps) return within(await this.#prepared(this.#modelKeeping, false));
    return this.#recordings.withTaps(store, taps, signal, within);
  }

  /** Prepares a caller's program over the activations. */
  async program(record: (activations: Activations) => Program): Promise<StepsProgram> {
    const executable = await this.#device.prepare(record(this.#activations));
    return {
      run: (step) => this.#takeTurn(undefined, () => this.#device.run(executable, step(this.#activations))),
      dispose: () => executable.dispose(),
    };
  }

  /** Makes a greedy step and returns its calls and the values of their variables. Their inputs are then on the device. */
  async callsOf(request: Omit<StepRequest, "until">): Promise<{
    readonly calls: readonly Call[];
    readonly variables: Readonly<Record<string, number>>;
  }> {
    const { parts, outputs, signal } = request;
    const { keeping } = parts[0]!.sequence;
    const { recording, executable } = await this.#prepared(keeping, false);
    const store = this.#stores.of(keeping);
    return this.#takeTurn(signal, async () => {
      const { variables, writes } = planStep(this.#planning, store, parts, { outputs });
      await this.#device.run(executable, { variables, writes, end: recording.greedy });
      return { calls: recording.program.calls.slice(0, recording.greedy), variables };
    });
  }

  /** Frees the memory that unusually large steps took. */
  shrink(): Promise<void> {
    return this.#takeTurn(undefined, () => this.#shrink());
  }

  /** Frees the cache, the activations and the weights. A later step throws a DeviceError. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#recordings.dispose();
    this.#stores.dispose();
    this.#activations.dispose();
    for (const weight of this.#weights.all) this.#device.destroy(weight);
  }

  /** Waits for the earlier turns, then runs the task. */
  #takeTurn<T>(signal: AbortSignal | undefined, task: () => T | Promise<T>): Promise<T> {
    return this.turns.take(signal, () => {
      this.#checkAlive();
      return task();
    });
  }

  #targets({ targets }: StepRequest): readonly Write[] {
    return targets ? [{ tensor: this.#activations.ports.targets, data: Uint32Array.from(targets) }] : [];
  }

  #applyPolicies(apply: typeof ApplyPolicy | undefined, parts: readonly Part[], read: StepStatistics): void {
    let begin = 0;
    for (const { sequence, tokens } of parts) {
      const rows = { sequence, begin, end: begin + tokens.length };
      if (sequence.isOpen) apply?.(this.#stores.of(sequence.keeping), rows, read, this.config);
      begin = rows.end;
    }
    this.#stores.of(parts[0]!.sequence.keeping).countStep();
  }

  /** Throws as {@link checkFeed} does. */
  check(sequence: CachedSequence, tokens: readonly number[]): void {
    checkFeed(sequence, tokens, this.config.vocabSize, this.contextLength);
  }

  #checkAlive(): void {
    if (this.#isDisposed) throw new DeviceError("disposed", "this model was disposed of: load it again");
  }

  #shrink(): void {
    this.#activations.shrink({ rows: this.chunkRows, outputs: 1, patternCells: 0 });
  }

  #prepared(keeping: Keeping, wantsTopLogits: boolean) {
    this.#checkAlive();
    this.turns.throwIfWithin();
    return this.#recordings.fused(this.#stores.of(keeping), keeping, wantsTopLogits);
  }

  #own(sequence: CachedSequence): CachedSequence {
    const { stored, keeping, vectors } = sequence;
    this.#sequences.add(sequence);
    this.#dropped.register(sequence, { stored, keeping, vectors }, sequence);
    return sequence;
  }
}

// Where the steps of a model are made (make-step.ts says how). `Steps` owns the device's activations, the stores of keys and values, the
// recorded forward passes, and the queue of turns. Decoding goes through its scheduler; scoring, captures and tuning are loops over
// `run` and `pass`.
//
// Invariant: one turn at a time. No other step of this model runs between the append of a step's rows and its policies.

import type { ModelConfig } from "../../loaders/index.ts";
import type { CacheFormat } from "../../kernels/index.ts";
import type { CacheBytes, CacheStatistics } from "../cache/bytes.ts";
import type { applyPolicy as ApplyPolicy } from "../cache/eviction.ts";
import { resolveKeeping, type Keeping } from "../cache/keeping.ts";
import type { CachePolicy } from "../cache/policies/policy.ts";
import { CachedSequence } from "../cache/sequence.ts";
import type { CacheStore } from "../cache/store.ts";
import { CacheStores } from "../cache/stores.ts";
import { DeviceError, type Device, type PrepareOptions, type Read, type Step } from "../devices/device.ts";
import type { Call, Program } from "../devices/program.ts";
import type { DecoderSequence } from "../generate/decoder.ts";
import { Activations } from "./activations.ts";
import type { Choices } from "./choices.ts";
import {
  makeStep,
  makeStepsAhead,
  type Numbers,
  type StepMaking,
  type StepOutcome,
  type StepReads,
  type StepRequest,
} from "./make-step.ts";
import { appendedOf, type Part } from "./part.ts";
import type { PassParts } from "./pass.ts";
import { Recordings, type AskedRecording, type Prepared } from "./recordings.ts";
import { Rotation } from "./rotation.ts";
import { isForeseeable, Pace, type AheadLimits } from "./run-ahead.ts";
import { Scheduler } from "./scheduler.ts";
import { checkFeed, planStep, type PlanningParts } from "./step-inputs.ts";
import type { StepSizes } from "./step-plan.ts";
import type { Ending } from "./record-options.ts";
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

/** A caller's program over the model's activations. */
export interface StepsProgram {
  /** Takes a turn and replays the program once. */
  run(step: (activations: Activations) => Step): Promise<readonly Numbers[]>;
  dispose(): void;
}

const DEFAULT_MAX_SLOTS = 1 << 20;
/** Part of a step's rows that may be of prompts while others decode. */
const MIXED_SHARE = 1 / 4;

/** Makes the steps of one model on one device. Dispose of it to free the weights, the cache and the activations. */
export class Steps {
  readonly config: ModelConfig;
  readonly contextLength: number;
  readonly chunkRows: number;
  readonly cacheType: CacheFormat;
  /** serves the requests of all decoders */
  readonly scheduler: Scheduler;
  readonly stepSizes: StepSizes;
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
  #applyPolicy: typeof ApplyPolicy | undefined;
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
    const promptRows = Math.max(1, Math.floor(this.chunkRows * MIXED_SHARE));
    this.stepSizes = { rows: this.chunkRows, promptRows, isShared: device.isDeterministic !== true };
    this.scheduler = new Scheduler(this);
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
      await steps.#recordings.fused(store, steps.#modelKeeping, {}, { signal, onProgress });
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

  /** Bytes over the steps since the last reset, over both kinds of cache; or those of one policy object's sequences. */
  cacheStatistics(policy?: CachePolicy): CacheStatistics {
    return this.#stores.statistics(policy);
  }

  /** Resets the statistics, or begins those of one policy object. */
  resetCacheStatistics(policy?: CachePolicy): void {
    this.#stores.resetStatistics(policy);
  }

  /** Opens an empty sequence. Throws a RangeError for options that do not fit the model. */
  open(options: OpenOptions = {}): CachedSequence {
    this.#checkAlive();
    const { policy, watchedLayers, vectors } = options;
    const keeping = watchedLayers ? resolveKeeping(this.config, policy, watchedLayers) : this.keepingOf(policy);
    const block = vectors && this.#activations.vectors.add(vectors);
    return this.#own(new CachedSequence(this.#stores.of(keeping).open(), keeping, block));
  }

  /** How sequences with this policy keep their keys; the model's own way by default. Throws a RangeError for one that does not fit. */
  keepingOf(policy: CachePolicy | undefined): Keeping {
    return policy ? resolveKeeping(this.config, policy) : this.#modelKeeping;
  }

  /**
   * Opens a second sequence with the same past; `as` says how it goes on, with a keeping of the same kind of store. Throws a TypeError for a
   * sequence that is closed or another model's.
   */
  fork(sequence: DecoderSequence, as?: Pick<OpenOptions, "vectors"> & { readonly keeping: Keeping }): CachedSequence {
    const own = this.owned(sequence);
    const { vectors } = this.#activations;
    const block = as ? as.vectors && vectors.add(as.vectors) : own.vectors;
    if (!as && block) vectors.retain(block);
    const keeping = as?.keeping ?? own.keeping;
    const copy = this.#own(new CachedSequence(this.#stores.of(own.keeping).fork(own.stored), keeping, block));
    copy.promptLength = own.promptLength;
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
   * Makes one step in a turn of its own. Resolves with the numbers in the order of the reads, followed by those of `more`. Throws a
   * TypeError for a closed sequence and a RangeError for tokens, lengths and slots out of range, before anything changes.
   */
  async run(
    request: StepRequest & { readonly signal?: AbortSignal | undefined },
    reads: StepReads = { reads: () => [] },
  ): Promise<readonly Numbers[]> {
    await this.prepare(request.parts, endingOf(request));
    const { data, failures } = await this.takeTurn(request.signal, () => this.make(request, reads));
    for (const error of failures.values()) throw error;
    return data;
  }

  /** Waits until all that a step of these parts needs is there. Throws a DeviceError for what the device cannot run. */
  async prepare(parts: readonly Part[], ending: Ending): Promise<Prepared> {
    // Loaded with the first policy that acts between steps.
    if (!this.#applyPolicy && parts.some(({ sequence }) => actsBetweenSteps(sequence.keeping))) {
      this.#applyPolicy = (await import("../cache/eviction.ts")).applyPolicy;
    }
    return this.#prepared(parts[0]!.sequence.keeping, ending);
  }

  /** Makes a step, in a turn. Throws as {@link run} does; what policies fail with is in the outcome. */
  async make(request: StepRequest, reads: StepReads): Promise<StepOutcome> {
    return makeStep(await this.#making(request), request, reads);
  }

  /**
   * Makes 1 to `most` greedy steps of parts of one token, in a turn: each feeds, on the device, the tokens that the one before chose.
   * Resolves with the [parts] tokens of each, or [choices] where their logits are combined. The store can roll back their rows, which are to be confirmed.
   */
  async makeAhead(parts: readonly Part[], most: number, choices?: Choices): Promise<readonly Uint32Array[]> {
    const making = await this.#making({ parts, choices, until: "greedy" });
    const count = Math.min(most, this.#pace.stepsOf(choices?.list.length ?? parts.length));
    return this.#pace.time(() => makeStepsAhead(making, parts, count));
  }

  /**
   * Appends parts to sequences with one `stepKey` and runs a task on the pass over them, which has the recording asked for or the fused one.
   * No other step of this model runs meanwhile. A pass that fails leaves its sequences fit to be closed only.
   */
  async pass<T>(
    parts: readonly Part[],
    recording: AskedRecording | undefined,
    options: { readonly hasPatterns: boolean; readonly signal?: AbortSignal | undefined },
    task: (parts: PassParts) => Promise<T>,
  ): Promise<T> {
    const { signal } = options;
    const { keeping } = parts[0]!.sequence;
    const store = this.#stores.of(keeping);
    const hasPatterns = options.hasPatterns || keeping.attentionLayers.length > 0;
    const within = (prepared: Prepared) =>
      this.takeTurn(signal, () => {
        const inputs = planStep(this.#planning, store, parts, { outputs: [0], hasPatterns });
        store.confirm(appendedOf(parts));
        const own = { device: this.#device, activations: this.#activations, config: this.config, store, parts };
        return task({ ...own, prepared, inputs, signal });
      });
    this.turns.throwIfWithin();
    if (!recording) return within(await this.#prepared(keeping, {}));
    await store.prepare(signal);
    return this.#recordings.asked(store, recording, signal, within);
  }

  /** Reads numbers of a tensor, in a turn of its own. */
  read(read: Read): Promise<Numbers> {
    return this.takeTurn(undefined, () => this.#device.read(read));
  }

  /** Prepares a caller's program over the activations. */
  async program(record: (activations: Activations) => Program): Promise<StepsProgram> {
    const executable = await this.#device.prepare(record(this.#activations));
    return {
      run: (step) => this.takeTurn(undefined, () => this.#device.run(executable, step(this.#activations))),
      dispose: () => executable.dispose(),
    };
  }

  /** Makes a greedy step and returns its calls and the values of their variables. Their inputs are then on the device. */
  async callsOf(
    request: Pick<StepRequest, "parts" | "outputs"> & { readonly signal?: AbortSignal | undefined },
  ): Promise<{
    readonly calls: readonly Call[];
    readonly variables: Readonly<Record<string, number>>;
  }> {
    const { parts, outputs, signal } = request;
    const { keeping } = parts[0]!.sequence;
    const { recording, executable } = await this.#prepared(keeping, {});
    const store = this.#stores.of(keeping);
    return this.takeTurn(signal, async () => {
      const { variables, writes } = planStep(this.#planning, store, parts, { outputs });
      store.confirm(appendedOf(parts));
      await this.#device.run(executable, { variables, writes, end: recording.greedy });
      return { calls: recording.program.calls.slice(0, recording.greedy), variables };
    });
  }

  /** Frees the memory that unusually large steps took. */
  shrink(): Promise<void> {
    return this.takeTurn(undefined, () => this.#shrink());
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
  takeTurn<T>(signal: AbortSignal | undefined, task: () => T | Promise<T>): Promise<T> {
    return this.turns.take(signal, () => {
      this.#checkAlive();
      return task();
    });
  }

  /** The store of a sequence's keys and values. */
  storeOf({ keeping }: CachedSequence): CacheStore {
    return this.#stores.of(keeping);
  }

  /** Throws as {@link checkFeed} does. */
  check(sequence: CachedSequence, tokens: readonly number[]): void {
    checkFeed(sequence, tokens, this.config.vocabSize, this.contextLength);
  }

  #checkAlive(): void {
    if (this.#isDisposed) throw new DeviceError("disposed", "this model was disposed of: load it again");
  }

  #shrink(): void {
    this.#activations.shrink({ rows: this.chunkRows, outputs: 1, choices: 0, patternCells: 0 });
  }

  async #making(request: Pick<StepRequest, "parts" | "choices" | "until">): Promise<StepMaking> {
    const { parts, choices } = request;
    const prepared = await this.prepare(parts, endingOf(request));
    const choosing = choices && (await import("./combining.ts")).choosingOf;
    return {
      device: this.#device,
      config: this.config,
      planning: this.#planning,
      store: this.storeOf(parts[0]!.sequence),
      prepared,
      choosing: choosing?.(this.#activations, this.config.vocabSize, choices!),
      applyPolicy: parts.some(({ sequence }) => actsBetweenSteps(sequence.keeping)) ? this.#applyPolicy : undefined,
    };
  }

  #prepared(keeping: Keeping, ending: Ending): Promise<Prepared> {
    this.#checkAlive();
    this.turns.throwIfWithin();
    return this.#recordings.fused(this.#stores.of(keeping), keeping, ending);
  }

  #own(sequence: CachedSequence): CachedSequence {
    const { stored, keeping, vectors } = sequence;
    stored.policy = keeping.policy;
    this.#sequences.add(sequence);
    this.#dropped.register(sequence, { stored, keeping, vectors }, sequence);
    return sequence;
  }
}

/** The recording that a step is made with. */
function endingOf({ until, choices }: Pick<StepRequest, "until" | "choices">): Ending {
  return { wantsTopLogits: until === "topLogits", combines: choices !== undefined };
}

/** True if the policy drops keys, is watched, or has a budget to be held to, after each step. */
function actsBetweenSteps(keeping: Keeping): boolean {
  return keeping.policy.budget !== undefined || !isForeseeable(keeping);
}

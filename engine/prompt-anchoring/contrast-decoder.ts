// A Decoder that contrasts rows. Each of its sequences has a plain row and at most one second row per anchor group (masked anchors, no
// prompt, or another prompt). All rows are rows of one batch, and their logits are combined after each step: by the device, which then
// chooses tokens too, or here, where strengths are functions of the step (`combinesOnDevice`) or the device has no kernels for it.
//
// Rows share keys and values up to the first token in which they differ: the plain row is fed up to there, the others are forked.
// Invariant: rows of strength 1 are never run, and a plan without other rows is not decoded here.

import { DeviceError } from "../devices/device.ts";
import type {
  Combination,
  Decoder,
  DecoderSequence,
  Feed,
  TopLogits,
  TopLogitsOptions,
  WatchableDecoder,
} from "../generate/decoder.ts";
import { argmax } from "../generate/ranking.ts";
import { combine, combinedArgmax, factorOf, softmax, type Schedule } from "./contrast.ts";
import type { Span } from "./spans.ts";
import { createShareMeter, needsShares, strengthsAt, type ShareMeter, type Strength } from "./strength.ts";

/** A second row. */
export interface SecondRow {
  /** what the row reads in place of the prompt */
  readonly prompt: readonly number[];
  readonly strength: Strength;
  /** the prompt's tokens that the row lacks */
  readonly anchors: readonly Span[];
}

/** The rows that one prompt is decoded as. */
export interface ContrastPlan {
  /** the plain row's tokens */
  readonly prompt: readonly number[];
  readonly rows: readonly SecondRow[];
  readonly schedule: Schedule;
  /** [count, dim] vectors that the rows' tokens from vocabSize on name */
  readonly vectors?: Float32Array | undefined;
  /** queries that "recent" covers, for strengths that ask for shares of attention */
  readonly recentQueries?: number | undefined;
}

/** A plain row and its second rows. */
class ContrastSequence implements DecoderSequence {
  readonly plan: ContrastPlan;
  readonly plain: DecoderSequence;
  readonly seconds: readonly DecoderSequence[];
  readonly meter: ShareMeter | undefined;
  readonly strengths: number[] = [];
  readonly anchorTokens: readonly number[];
  /** tokens fed after the prompt */
  generated = 0;
  isPromptFed = false;

  constructor(plan: ContrastPlan, plain: DecoderSequence, seconds: readonly DecoderSequence[], meter?: ShareMeter) {
    this.plan = plan;
    this.plain = plain;
    this.seconds = seconds;
    this.meter = meter;
    this.anchorTokens = plan.rows.map(({ anchors }) => anchors.reduce((sum, { begin, end }) => sum + end - begin, 0));
  }

  get length(): number {
    return this.plain.length;
  }

  /** What its rows are fed: the rest of their prompts at first, then the same tokens. The plain row comes first. */
  feeds(tokens: readonly number[]): Feed[] {
    if (this.isPromptFed) return [this.plain, ...this.seconds].map((row) => ({ sequence: row, tokens }));
    const prompts = [this.plan.prompt, ...this.plan.rows.map(({ prompt }) => prompt)];
    return [this.plain, ...this.seconds].map((sequence, row) => {
      const prompt = prompts[row]!;
      return { sequence, tokens: prompt.slice(sequence.length), promptLength: prompt.length };
    });
  }

  countFed(tokens: number): void {
    if (this.isPromptFed) this.generated += tokens;
    this.isPromptFed = true;
  }

  /** How the device combines its rows once `tokens` more are fed. */
  combination(tokens: number): Omit<Combination, "rows"> {
    const { rows, schedule } = this.plan;
    const generated = this.isPromptFed ? this.generated + tokens : 0;
    const rule = schedule === "growing" ? "constant" : schedule;
    // `confidence` is 1 here: the device multiplies by what it finds it to be.
    const factors = (ahead: number) =>
      rows.map(({ strength }, group) =>
        factorOf(strength as number, group, schedule, {
          generated: generated + ahead,
          anchorTokens: this.anchorTokens,
        }),
      );
    return { rule, factors };
  }
}

/** A sequence that has been opened, but not fed. */
class UnfedSequence implements DecoderSequence {
  readonly length = 0;
  readonly plan: ContrastPlan;
  fed: ContrastSequence | undefined;

  constructor(plan: ContrastPlan) {
    this.plan = plan;
  }
}

/** Returns the decoder for these plans. The n-th sequence that is opened belongs to the n-th plan. */
export function contrastDecoder(decoder: WatchableDecoder, plans: readonly ContrastPlan[]): Decoder {
  return new ContrastDecoder(decoder, plans);
}

class ContrastDecoder implements Decoder {
  readonly #decoder: WatchableDecoder;
  readonly #plans: readonly ContrastPlan[];
  #opened = 0;
  #probabilities = new Float32Array(0);
  #isOnDevice: boolean;

  constructor(decoder: WatchableDecoder, plans: readonly ContrastPlan[]) {
    this.#decoder = decoder;
    this.#plans = plans;
    this.#isOnDevice = decoder.combines === true && plans.every(combinesOnDevice);
  }

  get vocabSize(): number {
    return this.#decoder.vocabSize;
  }

  get contextLength(): number {
    return this.#decoder.contextLength;
  }

  open(): DecoderSequence {
    const plan = this.#plans[this.#opened++];
    if (!plan) throw new RangeError(`sequence ${this.#opened} was opened, but there are ${this.#plans.length} plans`);
    return new UnfedSequence(plan);
  }

  fork(sequence: DecoderSequence): DecoderSequence {
    const own = ownOf(sequence);
    if (own instanceof UnfedSequence) return new UnfedSequence(own.plan);
    // A fork is decoded separately from its origin, so its attention is counted separately from here on.
    const { plan, plain, seconds, meter } = own;
    const fork = new ContrastSequence(
      plan,
      this.#decoder.fork(plain),
      seconds.map((second) => this.#decoder.fork(second)),
      meter && meterOf(plan),
    );
    fork.generated = own.generated;
    fork.isPromptFed = own.isPromptFed;
    return fork;
  }

  close(sequence: DecoderSequence): void {
    const own = ownOf(sequence);
    if (own instanceof UnfedSequence) return;
    this.#decoder.close(own.plain);
    for (const second of own.seconds) this.#decoder.close(second);
  }

  async greedy(feeds: readonly Feed[], signal?: AbortSignal): Promise<Uint32Array> {
    return this.#answer(
      feeds,
      signal,
      (combining) => this.#decoder.greedy(combining, signal),
      async () => {
        const chosen = await this.#combineHere(feeds, signal, (own, plain, seconds) => {
          const strengths = constantStrengths(own.plan);
          return strengths ? combinedArgmax(plain, seconds, strengths) : argmax(this.#combine(own, plain, seconds));
        });
        return Uint32Array.from(chosen);
      },
    );
  }

  logits(feeds: readonly Feed[], signal?: AbortSignal): Promise<Float32Array[]> {
    return this.#answer(
      feeds,
      signal,
      (combining) => this.#decoder.logits(combining, signal),
      () => this.#combineHere(feeds, signal, (own, plain, seconds) => this.#combine(own, plain, seconds)),
    );
  }

  async topLogits(
    feeds: readonly Feed[],
    options: TopLogitsOptions,
    signal?: AbortSignal,
  ): Promise<(TopLogits | Float32Array)[]> {
    if (!this.#decoder.topLogits) return this.logits(feeds, signal);
    return this.#answer(
      feeds,
      signal,
      (combining) => this.#decoder.topLogits!(combining, options, signal),
      () => this.logits(feeds, signal),
    );
  }

  async *greedyRun(
    feeds: readonly Feed[],
    steps: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint32Array, void, undefined> {
    const sequences = await this.#begin(feeds, signal);
    if (!this.#isOnDevice || !this.#decoder.greedyRun || sequences.some(({ isPromptFed }) => !isPromptFed)) {
      yield await this.greedy(feeds, signal);
      return;
    }
    let isRunning = false;
    try {
      for await (const chosen of this.#decoder.greedyRun(combined(sequences, feeds), steps, signal)) {
        isRunning = true;
        // The factors of a run are those of its beginning and how far ahead they are asked for.
        for (const own of sequences) own.generated++;
        yield chosen;
      }
    } catch (error) {
      if (isRunning || !isUnfit(error)) throw error;
      this.#isOnDevice = false;
      yield await this.greedy(feeds, signal);
    }
  }

  /** Asks the device to combine where it can, else does it here. */
  async #answer<T>(
    feeds: readonly Feed[],
    signal: AbortSignal | undefined,
    onDevice: (combining: Feed[]) => Promise<T>,
    here: () => Promise<T>,
  ): Promise<T> {
    if (!this.#isOnDevice) return here();
    const sequences = await this.#begin(feeds, signal);
    try {
      const answers = await onDevice(combined(sequences, feeds));
      for (const [i, own] of sequences.entries()) own.countFed(feeds[i]!.tokens.length);
      return answers;
    } catch (error) {
      if (!isUnfit(error)) throw error;
      this.#isOnDevice = false;
      return here();
    }
  }

  /** Feeds all rows of the sequences as one batch and applies `finish` to each sequence's logits. */
  async #combineHere<T>(
    feeds: readonly Feed[],
    signal: AbortSignal | undefined,
    finish: (own: ContrastSequence, plain: Float32Array, seconds: readonly Float32Array[]) => T,
  ): Promise<T[]> {
    const sequences = await this.#begin(feeds, signal);
    const rows = sequences.flatMap((own, i) => own.feeds(feeds[i]!.tokens));
    for (const [i, own] of sequences.entries()) own.countFed(feeds[i]!.tokens.length);
    const logits = await this.#decoder.logits(rows, signal);
    let at = 0;
    return sequences.map((own) => {
      const [plain, ...seconds] = logits.slice(at, (at += 1 + own.seconds.length));
      return finish(own, plain!, seconds);
    });
  }

  /** Feeds the common prefixes of the rows and forks the second rows there. */
  async #begin(feeds: readonly Feed[], signal: AbortSignal | undefined): Promise<ContrastSequence[]> {
    const sequences: ContrastSequence[] = [];
    const fresh: { unfed: UnfedSequence; index: number; plain: DecoderSequence; shared: number; meter?: ShareMeter }[] =
      [];
    for (const [index, { sequence }] of feeds.entries()) {
      const own = ownOf(sequence);
      if (own instanceof ContrastSequence) {
        sequences[index] = own;
        continue;
      }
      const held = this.#heldRows(own.plan);
      if (held) {
        own.fed = sequences[index] = held;
        continue;
      }
      const meter = meterOf(own.plan);
      const promptLength = own.plan.prompt.length;
      const { vectors, prompt } = own.plan;
      const shared = sharedLength(own.plan);
      const options = { vectors, prefix: prompt.slice(0, shared) };
      const plain = meter
        ? this.#decoder.openWatched((position, weights) => {
            if (position >= promptLength) meter.add(weights);
          }, options)
        : this.#decoder.open(options);
      fresh.push({ unfed: own, index, plain, shared, ...(meter && { meter }) });
    }
    const beginnings = fresh
      .filter(({ plain, shared }) => shared > plain.length)
      .map(({ unfed, plain, shared }) => ({
        sequence: plain,
        tokens: unfed.plan.prompt.slice(plain.length, shared),
        promptLength: unfed.plan.prompt.length,
      }));
    try {
      if (beginnings.length > 0) await this.#decoder.greedy(beginnings, signal);
    } catch (error) {
      for (const { plain } of fresh) this.#decoder.close(plain);
      throw error;
    }
    for (const { unfed, index, plain, meter } of fresh) {
      const { rows, vectors } = unfed.plan;
      const seconds = rows.map(() => (plain.length > 0 ? this.#decoder.fork(plain) : this.#decoder.open({ vectors })));
      unfed.fed = new ContrastSequence(unfed.plan, plain, seconds, meter);
      sequences[index] = unfed.fed;
    }
    return sequences;
  }

  /** The rows of a plan, if the decoder holds all of them up to their last token. */
  #heldRows(plan: ContrastPlan): ContrastSequence | undefined {
    if (meterOf(plan)) return undefined; // rows that are watched are read by themselves
    const rows = [plan, ...plan.rows].flatMap(({ prompt }) => this.#decoder.held?.(prompt.slice(0, -1)) ?? []);
    const [plain, ...seconds] = rows;
    if (plain && seconds.length === plan.rows.length) return new ContrastSequence(plan, plain, seconds);
    for (const row of rows) this.#decoder.close(row);
    return undefined;
  }

  #combine(own: ContrastSequence, plain: Float32Array, seconds: readonly Float32Array[]): Float32Array {
    const { rows, schedule } = own.plan;
    if (this.#probabilities.length === 0) this.#probabilities = new Float32Array(this.vocabSize);
    const strengths = strengthsAt(
      rows.map(({ strength }) => strength),
      own.strengths,
      () => ({
        generated: own.generated,
        probabilities: softmax(plain, this.#probabilities),
        shares: own.meter?.shares,
      }),
    );
    return combine(plain, seconds, strengths, {
      schedule,
      generated: own.generated,
      anchorTokens: own.anchorTokens,
    });
  }
}

/** Whether a device can combine a plan's rows: a strength that is a function is asked here, and told probabilities and attention. */
function combinesOnDevice({ rows }: ContrastPlan): boolean {
  return rows.every(({ strength }) => typeof strength === "number");
}

/** Feeds of plain rows, with what is to be combined with them. */
function combined(sequences: readonly ContrastSequence[], feeds: readonly Feed[]): Feed[] {
  return sequences.map((own, i) => {
    const { tokens } = feeds[i]!;
    const [plain, ...rows] = own.feeds(tokens);
    return { ...plain!, combination: { rows, ...own.combination(tokens.length) } };
  });
}

function isUnfit(error: unknown): boolean {
  return error instanceof DeviceError && error.kind === "unfit";
}

/** The strengths of a plan in which nothing depends on the step. */
function constantStrengths({ rows, schedule }: ContrastPlan): readonly number[] | undefined {
  const strengths = rows.map(({ strength }) => strength);
  return schedule === "constant" && strengths.every((strength) => typeof strength === "number") ? strengths : undefined;
}

function ownOf(sequence: DecoderSequence): ContrastSequence | UnfedSequence {
  if (sequence instanceof UnfedSequence) return sequence.fed ?? sequence;
  if (sequence instanceof ContrastSequence) return sequence;
  throw new TypeError("this sequence was not opened by this decoder");
}

/** Tokens with which all rows begin; at least one is left for each to end with. */
function sharedLength({ prompt, rows }: ContrastPlan): number {
  let shared = prompt.length - 1;
  for (const row of rows) {
    shared = Math.min(shared, row.prompt.length - 1);
    const differs = prompt.findIndex((token, i) => token !== row.prompt[i]);
    if (differs >= 0) shared = Math.min(shared, differs);
  }
  return shared;
}

function meterOf({ prompt, rows, recentQueries }: ContrastPlan): ShareMeter | undefined {
  if (!needsShares(rows.map(({ strength }) => strength))) return undefined;
  return createShareMeter({
    groups: rows.map(({ anchors }) => ({ tokens: anchors })),
    promptTokens: prompt.length,
    window: recentQueries,
  });
}

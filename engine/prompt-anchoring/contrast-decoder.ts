// A Decoder that contrasts rows. Each of its sequences has a plain row and at most one second row per anchor group (masked anchors, no
// prompt, or another prompt). All rows are rows of one batch, and their logits are combined after each step.
//
// Rows share keys and values up to the first token in which they differ: the plain row is fed up to there, the others are forked.
// Invariant: rows of strength 1 are never run, and a plan without other rows is not decoded here.

import type { Decoder, DecoderSequence, Feed, WatchableDecoder } from "../generate/decoder.ts";
import { argmax } from "../generate/ranking.ts";
import { combine, combinedArgmax, softmax, type Schedule } from "./contrast.ts";
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
  /** tokens fed after the prompt */
  generated = 0;
  isPromptFed = false;

  constructor(plan: ContrastPlan, plain: DecoderSequence, seconds: readonly DecoderSequence[], meter?: ShareMeter) {
    this.plan = plan;
    this.plain = plain;
    this.seconds = seconds;
    this.meter = meter;
  }

  get length(): number {
    return this.plain.length;
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
  readonly #probabilities: Float32Array;

  constructor(decoder: WatchableDecoder, plans: readonly ContrastPlan[]) {
    this.#decoder = decoder;
    this.#plans = plans;
    this.#probabilities = new Float32Array(decoder.vocabSize);
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
    const chosen = await this.#step(feeds, signal, (own, plain, seconds) => {
      const strengths = constantStrengths(own.plan);
      return strengths ? combinedArgmax(plain, seconds, strengths) : argmax(this.#combine(own, plain, seconds));
    });
    return Uint32Array.from(chosen);
  }

  logits(feeds: readonly Feed[], signal?: AbortSignal): Promise<Float32Array[]> {
    return this.#step(feeds, signal, (own, plain, seconds) => this.#combine(own, plain, seconds));
  }

  /** Feeds all rows of the sequences as one batch and applies `finish` to each sequence's logits. */
  async #step<T>(
    feeds: readonly Feed[],
    signal: AbortSignal | undefined,
    finish: (own: ContrastSequence, plain: Float32Array, seconds: readonly Float32Array[]) => T,
  ): Promise<T[]> {
    const sequences = await this.#begin(feeds, signal);
    const rows: Feed[] = feeds.flatMap(({ tokens }, i) => {
      const own = sequences[i]!;
      if (own.isPromptFed) {
        own.generated += tokens.length;
        return [own.plain, ...own.seconds].map((row) => ({ sequence: row, tokens }));
      }
      own.isPromptFed = true;
      const { prompt, rows: seconds } = own.plan;
      return [
        { sequence: own.plain, tokens: prompt.slice(own.plain.length), promptLength: prompt.length },
        ...seconds.map((second, row) => ({
          sequence: own.seconds[row]!,
          tokens: second.prompt.slice(own.seconds[row]!.length),
          promptLength: second.prompt.length,
        })),
      ];
    });
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
      anchorTokens: rows.map(({ anchors }) => anchors.reduce((sum, { begin, end }) => sum + end - begin, 0)),
    });
  }
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

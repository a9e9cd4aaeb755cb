// The one place where the rows of a model's requests become steps. Every decoder of the model asks here: conversations, batches and
// evaluations alike. The requests that wait when a step begins are served by it together, as far as they fit (step-plan.ts says who gets
// what); each is answered when its last token is in. So requests join and leave the running batch at any token.
//
// A request that fails, is aborted while it waits, or whose sequence was closed leaves alone. If a step of several requests is refused
// they are served one by one, so that each meets its own refusal.

import type { CachedSequence } from "../cache/sequence.ts";
import { DeviceError } from "../devices/device.ts";
import type { Activations } from "./activations.ts";
import { greedyTokens, type Answers, type Outputs } from "./answers.ts";
import { choicesOf, type Choice, type Choices, type Group } from "./choices.ts";
import type { Numbers, StepOutcome, StepReads, StepRequest } from "./make-step.ts";
import { nextTask } from "../next-task.ts";
import type { Part } from "./part.ts";
import { keyOf, Request, type Checks, type Served } from "./request.ts";
import { AheadResults, isForeseeable } from "./run-ahead.ts";
import { planShares, type StepSizes } from "./step-plan.ts";
import type { Ending } from "./record-options.ts";

/** What the scheduler needs of a model's steps. */
export interface StepMaker extends Checks {
  readonly config: { readonly vocabSize: number };
  readonly stepSizes: StepSizes;
  /** Waits until all that a step of this kind needs is there. */
  prepare(parts: readonly Part[], ending: Ending): Promise<unknown>;
  /** Waits for the earlier turns, then runs the task. */
  takeTurn<T>(signal: AbortSignal | undefined, task: () => Promise<T>): Promise<T>;
  /** Makes a step, in a turn. */
  make(request: StepRequest, reads: StepReads): Promise<StepOutcome>;
  /** Makes 1 to `most` greedy steps of one token each, in a turn; resolves with the [rows] tokens of each, or those of [choices]. */
  makeAhead(parts: readonly Part[], most: number, choices?: Choices): Promise<readonly Uint32Array[]>;
}

/** The largest f32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** A request's part of a step. */
interface Taken {
  readonly request: Request;
  readonly rows: number;
}

/** Step keys whose turns are remembered: more than anybody decodes with at a time. */
const MOST_KEYS = 64;

/** Serves the requests of one model. */
export class Scheduler {
  readonly #maker: StepMaker;
  readonly #waiting = new Set<Request>();
  /** the newest request of each sequence that is not done */
  readonly #newest = new Map<CachedSequence, Request>();
  #isRunning = false;
  /** the last step served several requests, or left others waiting */
  #isShared = false;
  #time = 0;
  /** when each step key was served last, the oldest first */
  readonly #servedAt = new Map<string, number>();

  constructor(maker: StepMaker) {
    this.#maker = maker;
  }

  /**
   * Appends tokens to sequences and resolves with an answer for each group, read after the last token of its parts. Groups may have
   * different step keys. Rejects with what kept the request from being served, with a DeviceError of the kind "unfit" for a group that
   * combines more rows than a step has, and with the signal's reason within one step of an abort.
   */
  async answer<T>(groups: readonly Group[], answers: Answers<T>, signal: AbortSignal | undefined): Promise<T[]> {
    if (groups.length === 0) return [];
    const sets = setsOf(groups, this.#maker.stepSizes.rows);
    if (sets.length === 1) return (await this.#serve(new Request(groups, answers, 1, signal))).answers as T[];
    const results: T[] = [];
    const served = sets.map(async (indices) => {
      const own = indices.map((i) => groups[i]!);
      const { answers: given } = await this.#serve(new Request(own, answers, 1, signal));
      for (const [i, index] of indices.entries()) results[index] = given[i] as T;
    });
    // All have left when one has failed.
    for (const outcome of await Promise.allSettled(served)) if (outcome.status === "rejected") throw outcome.reason;
    return results;
  }

  /** Makes 1 to `most` greedy steps of parts of one token and one step key each. Steps that are not taken are rolled back. */
  async greedyRun(
    groups: readonly Group[],
    most: number,
    signal: AbortSignal | undefined,
  ): Promise<Iterable<Uint32Array>> {
    const { answers, ahead } = await this.#serve(new Request(groups, greedyTokens, most, signal));
    return ahead ?? [Uint32Array.from(answers as number[])];
  }

  async #serve(request: Request): Promise<Served> {
    const { parts, answers, signal, combines } = request;
    await this.#maker.prepare(parts, { wantsTopLogits: answers.stage === "topLogits", combines });
    const leave = () => {
      if (this.#waiting.delete(request)) request.reject(signal!.reason);
    };
    const earlier = new Set<Request>();
    for (const { sequence } of parts) {
      const before = this.#newest.get(sequence);
      if (before) earlier.add(before);
      this.#newest.set(sequence, request);
    }
    try {
      for (const { served } of earlier) await served.catch(() => undefined);
      signal?.throwIfAborted();
      signal?.addEventListener("abort", leave, { once: true });
      request.since = ++this.#time;
      this.#waiting.add(request);
      if (!this.#isRunning) void this.#run();
      return await request.served;
    } catch (error) {
      request.served.catch(() => undefined);
      request.reject(error);
      throw error;
    } finally {
      signal?.removeEventListener("abort", leave);
      for (const { sequence } of parts) if (this.#newest.get(sequence) === request) this.#newest.delete(sequence);
    }
  }

  /** Makes steps while requests wait. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.size > 0) {
      try {
        await this.#maker.takeTurn(undefined, () => this.#turn());
      } catch (error) {
        for (const request of this.#waiting) request.reject(error);
        this.#waiting.clear();
      }
      // Those who were answered come back before the next step is planned; one who is alone does not wait for others.
      if (this.#isShared) await nextTask();
    }
    this.#isRunning = false;
  }

  async #turn(): Promise<void> {
    this.#isShared = false;
    for (const request of this.#waiting) {
      try {
        request.check(this.#maker);
      } catch (error) {
        this.#waiting.delete(request);
        request.reject(error);
      }
    }
    if (this.#waiting.size === 0) return;
    const shares = planShares([...this.#waiting], this.#maker.stepSizes, this.#servedAt);
    this.#countTurn(shares[0]!.waiting.stepKey);
    const taken = shares.map(({ waiting: request, rows }) => ({ request, rows: request.take(rows) }));
    for (const { request } of taken) this.#waiting.delete(request);
    await this.#step(taken);
    const [{ request }] = taken as [Taken];
    this.#isShared = taken.length > 1 || this.#waiting.size > (this.#waiting.has(request) ? 1 : 0);
  }

  #countTurn(stepKey: string): void {
    this.#servedAt.delete(stepKey);
    this.#servedAt.set(stepKey, ++this.#time);
    const [oldest] = this.#servedAt.keys();
    if (this.#servedAt.size > MOST_KEYS) this.#servedAt.delete(oldest!);
  }

  /** Makes the step, and answers the requests that are done. */
  async #step(taken: readonly Taken[]): Promise<void> {
    try {
      await (this.#runsAhead(taken) ? this.#stepAhead(taken) : this.#stepOnce(taken));
    } catch (error) {
      // Nothing has changed: each alone may fit, or learns what is wrong with it.
      if (taken.length > 1) for (const one of taken) await this.#step([one]);
      else taken[0]!.request.reject(error);
    }
  }

  /** True if nobody waits for another step, and the keys that stay can be foreseen. */
  #runsAhead(taken: readonly Taken[]): boolean {
    return (
      this.#waiting.size === 0 &&
      taken.every(
        ({ request: { most, rows, parts }, rows: own }) =>
          most > 1 && rows === own && parts.every(({ sequence }) => isForeseeable(sequence.keeping)),
      )
    );
  }

  async #stepAhead(taken: readonly Taken[]): Promise<void> {
    const parts = taken.flatMap(({ request }) => request.parts);
    const groups = taken.flatMap(({ request }) => request.groups);
    const combines = taken.some(({ request }) => request.combines);
    const choices = combines ? { list: choicesOf(groups, 0), isGreedy: true } : undefined;
    const most = Math.min(...taken.map(({ request }) => request.most));
    const steps = await this.#maker.makeAhead(parts, most, choices);
    const sequences = parts.map(({ sequence }) => sequence.stored);
    const run = { store: this.#maker.storeOf(parts[0]!.sequence), sequences, steps, counted: 0 };
    let begin = 0;
    for (const { request } of taken) {
      const range = { begin, end: (begin += request.groups.length) };
      request.resolve({ answers: [], ahead: new AheadResults(run, request.parts, range, request.signal) });
    }
  }

  async #stepOnce(taken: readonly Taken[]): Promise<void> {
    const parts: Part[] = [];
    const rows: number[] = [];
    let row = 0;
    const ranges = taken.map(({ request, rows: own }) => {
      const next = request.next(own);
      const range = { begin: rows.length, end: rows.length + next.outputs.length, from: parts.length };
      parts.push(...next.parts);
      for (const output of next.outputs) rows.push(row + output);
      row += own;
      return range;
    });
    const combines = taken.some(({ request }, i) => request.combines && ranges[i]!.end > ranges[i]!.begin);
    const choices: Choice[] = [];
    const ending = taken.flatMap(({ request }, i) => {
      const { begin, end } = ranges[i]!;
      if (end === begin) return [];
      if (!combines) return [{ request, answers: request.answers, begin, end }];
      const first = choices.length;
      choices.push(...choicesOf(request.nextGroups(end - begin), begin));
      return [{ request, answers: request.answers, begin: first, end: choices.length }];
    });
    const temperature = ending.find(({ answers }) => answers.stage === "topLogits")?.answers.temperature;
    const { vocabSize } = this.#maker.config;
    const outputsOf = (own: Activations, begin: number, end: number): Outputs => ({
      begin,
      end,
      activations: own,
      logits: combines ? own.combined(vocabSize) : own.outputs("logits", vocabSize),
      vocabSize,
      temperature,
    });
    let activations: Activations;
    /** what was read for each of `ending` */
    const data: Numbers[][] = [];
    const counts: number[] = [];
    const reads: StepReads = {
      reads: (own) => {
        activations = own;
        return ending.flatMap(({ answers, begin, end }, i) => {
          const list = answers.reads(outputsOf(own, begin, end));
          counts[i] = list.length;
          return list;
        });
      },
      more: (all, own) => {
        const left = [...all];
        const lists = ending.map(({ answers, begin, end }, i) => {
          data[i] = left.splice(0, counts[i]);
          return answers.more?.(data[i], outputsOf(own, begin, end)) ?? [];
        });
        for (const [i, list] of lists.entries()) counts[i] = list.length;
        return lists.flat();
      },
    };
    const isTop = temperature !== undefined;
    const isGreedy = ending.some(({ answers }) => answers.stage === "greedy");
    const until = ending.length === 0 ? "body" : isTop ? "topLogits" : isGreedy ? "greedy" : "logits";
    // an f32: the largest logit's weight must stay e^(0 · it)
    const variables = isTop ? { inverseTemperature: Math.min(1 / temperature, LARGEST) } : undefined;
    const readsTokens = ending.every(({ answers }) => answers.stage === "greedy");
    const outcome = await this.#maker.make(
      {
        parts,
        outputs: rows,
        choices: combines ? { list: choices, isGreedy: readsTokens } : undefined,
        until,
        variables,
      },
      reads,
    );
    const further = outcome.data.slice(outcome.data.length - counts.reduce((sum, count) => sum + count, 0));
    for (const [i, { request, answers, begin, end }] of ending.entries()) {
      data[i]!.push(...further.splice(0, counts[i]));
      request.answered.push(...answers.take(data[i]!, outputsOf(activations!, begin, end)));
    }
    for (const [i, { request, rows: own }] of taken.entries()) {
      const { from } = ranges[i]!;
      const to = ranges[i + 1]?.from ?? parts.length;
      const failed = [...outcome.failures.keys()].find((part) => part >= from && part < to);
      if (failed === undefined) this.#settle(request, own);
      else request.reject(outcome.failures.get(failed));
    }
  }

  /** Answers a request that has been served, or lets it wait for its next step. */
  #settle(request: Request, rows: number): void {
    request.advance(rows);
    if (request.signal?.aborted) request.reject(request.signal.reason);
    else if (request.rows === 0) request.resolve({ answers: request.answered });
    else {
      request.since = ++this.#time;
      this.#waiting.add(request);
    }
  }
}

/** Groups by their places, those of a set to be asked for at once: they share a step key and, if they combine, fit one step. */
function setsOf(groups: readonly Group[], rows: number): number[][] {
  const sets = new Map<string, { indices: number[]; rows: number }>();
  const full: number[][] = [];
  const combines = groups.some(({ combination }) => combination !== undefined);
  for (const [i, { parts }] of groups.entries()) {
    const key = keyOf(parts[0]!);
    if (combines && (parts.length > rows || parts.some((part) => keyOf(part) !== key))) {
      const wanted = `${parts.length} rows are to be combined; a step has ${rows}, all with one cache policy`;
      throw new DeviceError("unfit", wanted);
    }
    const held = sets.get(key);
    if (held && !(combines && held.rows + parts.length > rows)) {
      held.indices.push(i);
      held.rows += parts.length;
      continue;
    }
    if (held) full.push(held.indices);
    sets.set(key, { indices: [i], rows: parts.length });
  }
  return [...full, ...[...sets.values()].map(({ indices }) => indices)];
}

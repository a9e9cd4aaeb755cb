// Runs a set of tasks: prompts to completions, completions through the sandbox, results to the file and a score.
//
// While tasks are judged others are decoded. Each task is written as soon as it is judged; an interrupted run finishes
// judging what is decoded, so that resuming it decodes again only the tasks that were being decoded.

import { createHash } from "node:crypto";
import { wilsonInterval, type Interval } from "kedge/anchoring";
import { isJudged, NOT_JUDGED, type FailureKind, type Outcome } from "./outcome.ts";
import { openResults, type ResultsFile, type Sample, type Settings, type TaskResult } from "./results.ts";
import type { Sandbox } from "./sandbox.ts";
import { meanPassAtK } from "./scoring.ts";
import { cutCompletion, programOf, type Task } from "./task.ts";

/** How far a run is. */
export interface EvaluationProgress {
  readonly done: number;
  readonly total: number;
  /** tasks among those done of which at least one sample passed */
  readonly passed: number;
  /** tasks among those done that an earlier run had done */
  readonly resumed: number;
}

/** A task and what was written for it: as many texts as `samples`. */
export interface Completed {
  readonly task: Task;
  readonly texts: readonly string[];
  /** how many tokens each text has, where the completer counts them */
  readonly tokens?: readonly number[];
}

/**
 * Completes tasks, `rows` at a time, and yields each when it is done, in any order. A text may go on after its last line
 * (see `completionEnd`), which is cut off.
 */
export type Complete = (
  tasks: readonly Task[],
  options: { readonly rows: number; readonly signal?: AbortSignal | undefined },
) => AsyncIterable<Completed>;

/** Options of {@link evaluate}. */
export interface EvaluationOptions {
  readonly tasks: readonly Task[];
  readonly complete: Complete;
  readonly sandbox: Sandbox;
  /** completions of each task; 1 by default */
  readonly samples?: number | undefined;
  /** tasks decoded at a time; 8 by default */
  readonly batchSize?: number | undefined;
  /** the number of tasks to run, from the first; all by default */
  readonly limit?: number | undefined;
  /** where results go, a line a task */
  readonly resultsFile?: string | undefined;
  /** continues that file if it exists; false by default */
  readonly resume?: boolean | undefined;
  /** what else decides the results, such as the model and how it decodes: kept in the file, and compared on resuming */
  readonly settings?: Settings | undefined;
  readonly onProgress?: ((progress: EvaluationProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A score: plain JSON. */
export interface Evaluation {
  readonly tasks: number;
  /** completions of each task */
  readonly samples: number;
  /** pass@k for k = 1 and for the powers of ten and the sample count that lie above, as far as there are samples */
  readonly passAt: Readonly<Record<string, number>>;
  /** 95 % of pass@1, Wilson's: a task that was judged counts once, however many samples it has */
  readonly interval: Interval;
  /** completions that failed, by kind */
  readonly failures: Readonly<Record<FailureKind, number>>;
  /** tasks of which no completion could be judged, and why: no score counts them */
  readonly notJudged: readonly NotJudged[];
  /** in the order of the tasks */
  readonly results: readonly TaskResult[];
}

/** A task whose check needs what the sandbox lacks. */
export interface NotJudged {
  readonly id: string;
  /** what it needs */
  readonly reason: string;
}

/** A way of completing the tasks. */
export type EvaluationWay = Pick<EvaluationOptions, "samples" | "resultsFile" | "settings">;

/** A task to complete in one of several ways, by the index of the way. */
export interface Unit {
  readonly task: Task;
  readonly way: number;
}

/** As {@link Complete}, of tasks in several ways. */
export type CompleteUnits = (
  units: readonly Unit[],
  options: { readonly rows: number; readonly signal?: AbortSignal | undefined },
) => AsyncIterable<Completed & Unit>;

/** How far a run of several ways is: over all of them, and each. */
export interface WaysProgress extends EvaluationProgress {
  readonly ways: readonly Pick<EvaluationProgress, "done" | "passed">[];
}

/** Options of {@link evaluateWays}: those of `evaluate`, with a results file of its own for each way. */
export interface WaysOptions extends Omit<
  EvaluationOptions,
  "complete" | "onProgress" | "samples" | "resultsFile" | "settings"
> {
  readonly ways: readonly EvaluationWay[];
  readonly complete: CompleteUnits;
  readonly onProgress?: ((progress: WaysProgress) => void) | undefined;
}

/**
 * Runs and scores a set of tasks.
 *
 * @throws the signal's reason, after what was decoded is judged and written; what `complete` throws, likewise; RangeError
 * on a number out of range or completions of the wrong number; and what `openResults` throws
 */
export async function evaluate(options: EvaluationOptions): Promise<Evaluation> {
  const { complete, samples, resultsFile, settings, onProgress, ...rest } = options;
  const [evaluation] = await evaluateWays({
    ...rest,
    ways: [{ samples, resultsFile, settings }],
    async *complete(units, more) {
      const tasks = units.map(({ task }) => task);
      for await (const completed of complete(tasks, more)) yield { ...completed, way: 0 };
    },
    onProgress: onProgress && (({ ways: _ways, ...progress }) => onProgress(progress)),
  });
  return evaluation!;
}

/** Runs and scores a set of tasks in several ways at once; one score for each. Throws as {@link evaluate} does. */
export async function evaluateWays(options: WaysOptions): Promise<readonly Evaluation[]> {
  const { ways, batchSize = 8, limit = options.tasks.length } = options;
  for (const [name, value] of [
    ...Object.entries({ batchSize, limit }),
    ...ways.map(({ samples = 1 }) => ["samples", samples] as const),
  ])
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`${name} is ${value}, wanted a whole number of 1 or more`);
  const tasks = options.tasks.slice(0, limit);
  if (tasks.length === 0) throw new RangeError("there are 0 tasks, wanted 1 or more");
  const run = new Run(options, tasks, batchSize);
  try {
    return await run.toScores();
  } finally {
    run.close();
  }
}

/** A way while its tasks are completed and judged. */
interface RunningWay {
  readonly samples: number;
  readonly file: ResultsFile | undefined;
  readonly results: Map<string, TaskResult>;
}

class Run {
  readonly #options: WaysOptions;
  readonly #tasks: readonly Task[];
  readonly #batchSize: number;
  readonly #ways: RunningWay[] = [];
  readonly #resumed: number;
  /** by task and completion: what several ways wrote alike is judged once */
  readonly #outcomes = new Map<string, Promise<Outcome>>();
  readonly #judging = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(options: WaysOptions, tasks: readonly Task[], batchSize: number) {
    this.#options = options;
    this.#tasks = tasks;
    this.#batchSize = batchSize;
    const { sandbox, resume = false } = options;
    const { language } = tasks[0]!;
    const limits = sandbox.limitsOf?.(language) ?? sandbox.limits;
    const own = language === "python" && sandbox.python !== undefined ? { python: sandbox.python } : {};
    const shared = { ...limits, ...own, tasks: digestOf(options.tasks) };
    try {
      for (const { samples = 1, resultsFile, settings } of options.ways) {
        const file =
          resultsFile === undefined ? undefined : openResults(resultsFile, { ...settings, samples, ...shared }, resume);
        this.#ways.push({ samples, file, results: keep(file, tasks) });
      }
    } catch (error) {
      this.close();
      throw error;
    }
    this.#resumed = this.#ways.reduce((sum, { results }) => sum + results.size, 0);
  }

  async toScores(): Promise<readonly Evaluation[]> {
    const { signal } = this.#options;
    this.#report();
    const open = this.#tasks.flatMap((task) =>
      [...this.#ways.keys()]
        .filter((way) => !this.#ways[way]!.results.has(task.id))
        .map((way): Unit => ({ task, way })),
    );
    try {
      signal?.throwIfAborted();
      if (open.length > 0) await this.#completeAll(open);
    } finally {
      await Promise.all(this.#judging);
    }
    if (this.#failure) throw this.#failure.error;
    const missing = open.find(({ task, way }) => !this.#ways[way]!.results.has(task.id));
    if (missing) throw new RangeError(`the generator did not complete ${missing.task.id}`);
    return this.#ways.map(({ results, samples }) =>
      score(
        this.#tasks.map(({ id }) => results.get(id)).filter((result) => result !== undefined),
        samples,
      ),
    );
  }

  close(): void {
    for (const { file } of this.#ways) file?.close();
  }

  async #completeAll(open: readonly Unit[]): Promise<void> {
    const { complete, signal } = this.#options;
    for await (const completed of complete(open, { rows: this.#batchSize, signal })) {
      checkCount(completed, this.#ways[completed.way]!.samples);
      const own = this.#judge(completed)
        .catch((error: unknown) => {
          this.#failure ??= { error };
        })
        .finally(() => this.#judging.delete(own));
      this.#judging.add(own);
      // What is decoded and not judged is lost if the process dies.
      if (this.#judging.size >= 2 * this.#batchSize) await Promise.race(this.#judging);
      if (this.#failure) break;
    }
  }

  async #judge({ task, way, texts }: Completed & Unit): Promise<void> {
    const { file, results } = this.#ways[way]!;
    const result = { id: task.id, samples: await Promise.all(texts.map((text) => this.#judgeOne(task, text))) };
    file?.append(result);
    results.set(task.id, result);
    this.#report();
  }

  async #judgeOne(task: Task, text: string): Promise<Sample> {
    const completion = cutCompletion(task, text);
    const key = JSON.stringify([task.id, completion]);
    const outcome = this.#outcomes.get(key) ?? this.#options.sandbox.run(programOf(task, completion));
    this.#outcomes.set(key, outcome);
    return { completion, outcome: await outcome };
  }

  #report(): void {
    const ways = this.#ways.map(({ results }) => ({ done: results.size, passed: countPassed(results.values()) }));
    const sum = (of: "done" | "passed") => ways.reduce((total, way) => total + way[of], 0);
    const total = this.#ways.length * this.#tasks.length;
    this.#options.onProgress?.({ done: sum("done"), total, passed: sum("passed"), resumed: this.#resumed, ways });
  }
}

/** The score of results: one or more tasks, with `samples` completions each. */
export function score(results: readonly TaskResult[], samples: number): Evaluation {
  const tallies = results
    .map((result) => ({ samples: judgedSamples(result), passed: passedSamples(result) }))
    .filter((tally) => tally.samples > 0);
  const failures = { assertion: 0, exception: 0, syntax: 0, timeout: 0, memory: 0 };
  for (const { outcome } of results.flatMap((result) => result.samples))
    if (!outcome.passed && outcome.kind !== NOT_JUDGED) failures[outcome.kind]++;
  const passAt = [...new Set([1, 10, 100, 1000, samples])].flatMap((k): [number, number][] => {
    const enough = tallies.filter((tally) => tally.samples >= k);
    return enough.length > 0 ? [[k, meanPassAtK(enough, k)]] : [];
  });
  const passAt1 = tallies.length > 0 ? meanPassAtK(tallies, 1) : 0;
  return {
    tasks: results.length,
    samples,
    passAt: Object.fromEntries(passAt),
    interval:
      tallies.length > 0
        ? wilsonInterval(Math.min(tallies.length, passAt1 * tallies.length), tallies.length)
        : { low: 0, high: 1 },
    failures,
    notJudged: results.flatMap((result) => {
      const { id, samples: all } = result;
      const [first] = all;
      return judgedSamples(result) > 0 || first === undefined || first.outcome.passed
        ? []
        : [{ id, reason: first.outcome.message }];
    }),
    results,
  };
}

/** How many of a task's completions passed or failed. */
function judgedSamples({ samples }: TaskResult): number {
  return samples.filter(({ outcome }) => isJudged(outcome)).length;
}

/** How many of a task's completions passed. */
function passedSamples({ samples }: TaskResult): number {
  return samples.filter(({ outcome }) => outcome.passed).length;
}

function countPassed(results: Iterable<TaskResult>): number {
  return [...results].filter((result) => passedSamples(result) > 0).length;
}

/** The results in the file that belong to these tasks. An earlier run with a larger limit may have left more. */
function keep(file: ResultsFile | undefined, tasks: readonly Task[]): Map<string, TaskResult> {
  const ids = new Set(tasks.map(({ id }) => id));
  return new Map((file?.done ?? []).filter(({ id }) => ids.has(id)).map((result) => [result.id, result]));
}

/** Tells sets apart: the same tasks, whatever file they came from, have the same digest. */
function digestOf(tasks: readonly Task[]): string {
  const hash = createHash("sha256");
  for (const { id, prompt, stop, check } of tasks) hash.update(`${JSON.stringify([id, prompt, stop, check])}\n`);
  return hash.digest("hex").slice(0, 16);
}

function checkCount({ task, texts }: Completed, samples: number): void {
  if (texts.length !== samples)
    throw new RangeError(`the generator made ${texts.length} completions of ${task.id}, wanted ${samples}`);
}

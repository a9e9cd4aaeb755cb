// Runs a set of tasks: prompts to completions, completions through the sandbox, results to the file and a score.
//
// While tasks are judged others are decoded. Each task is written as soon as it is judged; an interrupted run finishes
// judging what is decoded, so that resuming it decodes again only the tasks that were being decoded.

import { createHash } from "node:crypto";
import { wilsonInterval, type Interval } from "kedge/anchoring";
import type { FailureKind } from "./outcome.ts";
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
  /** 95 % of pass@1, Wilson's: a task counts once, however many samples it has */
  readonly interval: Interval;
  /** completions that failed, by kind */
  readonly failures: Readonly<Record<FailureKind, number>>;
  /** in the order of the tasks */
  readonly results: readonly TaskResult[];
}

/**
 * Runs and scores a set of tasks.
 *
 * @throws the signal's reason, after what was decoded is judged and written; what `complete` throws, likewise; RangeError
 * on a number out of range or completions of the wrong number; and what `openResults` throws
 */
export async function evaluate(options: EvaluationOptions): Promise<Evaluation> {
  const { samples = 1, batchSize = 8, sandbox, complete, onProgress, signal } = options;
  const { limit = options.tasks.length } = options;
  for (const [name, value] of Object.entries({ samples, batchSize, limit }))
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`${name} is ${value}, wanted a whole number of 1 or more`);
  const tasks = options.tasks.slice(0, limit);
  if (tasks.length === 0) throw new RangeError("there are 0 tasks, wanted 1 or more");
  const settings = { ...options.settings, samples, ...sandbox.limits, tasks: digestOf(options.tasks) };

  const file =
    options.resultsFile === undefined ? undefined : openResults(options.resultsFile, settings, options.resume ?? false);
  try {
    const results = keep(file, tasks);
    const resumed = results.size;
    const report = (): void =>
      onProgress?.({ done: results.size, total: tasks.length, passed: countPassed(results.values()), resumed });
    report();

    const judge = async ({ task, texts }: Completed): Promise<void> => {
      const judged = await Promise.all(texts.map((text) => judgeOne(sandbox, task, text)));
      const result = { id: task.id, samples: judged };
      file?.append(result);
      results.set(task.id, result);
      report();
    };

    const open = tasks.filter(({ id }) => !results.has(id));
    const judging = new Set<Promise<void>>();
    let failure: { readonly error: unknown } | undefined;
    try {
      signal?.throwIfAborted();
      if (open.length > 0) {
        for await (const completed of complete(open, { rows: batchSize, signal })) {
          checkCount(completed, samples);
          const own = judge(completed)
            .catch((error: unknown) => {
              failure ??= { error };
            })
            .finally(() => judging.delete(own));
          judging.add(own);
          // What is decoded and not judged is lost if the process dies.
          if (judging.size >= 2 * batchSize) await Promise.race(judging);
          if (failure) break;
        }
      }
    } finally {
      await Promise.all(judging);
    }
    if (failure) throw failure.error;
    const missing = open.find(({ id }) => !results.has(id));
    if (missing) throw new RangeError(`the generator did not complete ${missing.id}`);
    return score(
      tasks.map(({ id }) => results.get(id)).filter((result) => result !== undefined),
      samples,
    );
  } finally {
    file?.close();
  }
}

/** The score of results: one or more tasks, with `samples` completions each. */
export function score(results: readonly TaskResult[], samples: number): Evaluation {
  const tallies = results.map((result) => ({ samples: result.samples.length, passed: passedSamples(result) }));
  const passAt1 = meanPassAtK(tallies, 1);
  const failures = { assertion: 0, exception: 0, syntax: 0, timeout: 0, memory: 0 };
  for (const { outcome } of results.flatMap((result) => result.samples)) if (!outcome.passed) failures[outcome.kind]++;
  const ks = [...new Set([1, 10, 100, 1000, samples])].filter((k) => k <= samples);
  return {
    tasks: results.length,
    samples,
    passAt: Object.fromEntries(ks.map((k) => [k, meanPassAtK(tallies, k)])),
    interval: wilsonInterval(Math.min(tallies.length, passAt1 * tallies.length), tallies.length),
    failures,
    results,
  };
}

/** How many of a task's completions passed. */
function passedSamples({ samples }: TaskResult): number {
  return samples.filter(({ outcome }) => outcome.passed).length;
}

async function judgeOne(sandbox: Sandbox, task: Task, text: string): Promise<Sample> {
  const completion = cutCompletion(task, text);
  return { completion, outcome: await sandbox.run(programOf(task, completion)) };
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

// The study's texts and scores, read from its files: which completions there are, and which pass which tests. What is missing is thrown as
// a job, so that whoever asks can have it made, or say that it is missing.

import { existsSync } from "node:fs";
import { tuneStrength, type TuneResult } from "kedge/anchoring";
import { FormatError } from "kedge/loaders";
import { NOT_JUDGED } from "../../evaluation/outcome.ts";
import { readBenchmark, studyProgram, type StudyTask } from "./benchmarks.ts";
import { completionsPath, promptDigest, readCompletions, type Completion } from "./completions.ts";
import { taskFor, TUNING, tuningSplit, type BenchmarkName, type Job, type Selection, type TestsName } from "./plan.ts";
import type { Verdicts } from "./verdicts.ts";

/** Completions that are not there. */
export class Missing extends Error {
  override readonly name = "Missing";
  /** what makes them */
  readonly job: Job;

  constructor(job: Job) {
    super(`${job.benchmark} is not yet completed in this way`);
    this.job = job;
  }
}

/** Where a {@link Study} reads. */
export interface StudyOptions {
  /** the folder of completions and verdicts */
  readonly folder: string;
  /** the folder of benchmarks */
  readonly data: string;
  readonly verdicts: Verdicts;
}

/** The passes of tasks under one kind of tests, in the order of the tasks; undefined where a task has no such tests. */
export type Passes = readonly (boolean | undefined)[];

/** What a report reads. */
export type Scores = Pick<Study, "completions" | "passes" | "search">;

/** The study's texts and scores. */
export class Study {
  readonly #options: StudyOptions;
  readonly #tasks = new Map<BenchmarkName, Promise<readonly StudyTask[]>>();

  constructor(options: StudyOptions) {
    this.#options = options;
  }

  /** A benchmark's tasks; throws a FormatError where they cannot be read. */
  tasks(benchmark: BenchmarkName): Promise<readonly StudyTask[]> {
    let tasks = this.#tasks.get(benchmark);
    if (tasks === undefined) {
      tasks = readBenchmark(this.#options.data, benchmark);
      this.#tasks.set(benchmark, tasks);
    }
    return tasks;
  }

  /** The tasks of a selection, in order. Throws {@link Missing} where it depends on completions that are not there. */
  async selected(benchmark: BenchmarkName, selection: Selection): Promise<readonly StudyTask[]> {
    const all = await this.tasks(benchmark);
    switch (selection) {
      case "all":
        return all;
      case "tuning":
      case "held":
        return tuningSplit(all.length)[selection].map((index) => all[index]!);
      case "failing": {
        const passes = await this.passes({ benchmark, way: {}, tasks: "all" }, "examples");
        return all.filter((_, index) => passes[index] === false);
      }
      default:
        return selection satisfies never;
    }
  }

  /** The completions of a job's tasks, in order. Throws {@link Missing} unless all are there. */
  async completions(job: Job): Promise<readonly Completion[]> {
    const tasks = await this.selected(job.benchmark, job.tasks);
    const path = completionsPath(this.#options.folder, job.benchmark, job.way);
    if (!existsSync(path)) throw new Missing(job);
    const { done } = readCompletions(path);
    const byId = new Map(done.map((completion) => [completion.id, completion]));
    return tasks.map(({ task }) => {
      const completion = byId.get(task.id);
      if (completion === undefined) throw new Missing(job);
      if (completion.prompt !== promptDigest(taskFor(task, job.way), job.way))
        throw new FormatError(path, `${task.id} was completed from another prompt: remove its line`);
      return completion;
    });
  }

  /** Which tasks of a job pass. Throws {@link Missing} unless all completions are there. */
  async passes(job: Job, tests: TestsName): Promise<Passes> {
    const { benchmark } = job;
    const [tasks, completions] = [await this.selected(benchmark, job.tasks), await this.completions(job)];
    return Promise.all(
      tasks.map(async (task, index) => {
        const program = studyProgram(task, job.way, tests, completions[index]!.text);
        if (program === undefined) return undefined;
        const verdict = await this.#options.verdicts.judge(benchmark, tests, task.task.id, program);
        return verdict.kind === NOT_JUDGED ? undefined : verdict.passed;
      }),
    );
  }

  /** The search for a strength on a benchmark's tuning tasks. Throws {@link Missing} with what it has to know next. */
  async search(benchmark: BenchmarkName): Promise<TuneResult> {
    const { length } = await this.tasks(benchmark);
    return tuneStrength({
      tasks: length,
      ...TUNING,
      score: async (strength, indices) => {
        const { tuning } = tuningSplit(length);
        const tasks: Selection = indices.length === tuning.length && indices[0] === tuning[0] ? "tuning" : "held";
        const way = strength === 1 ? {} : { strength };
        return (await this.passes({ benchmark, way, tasks }, "base")).filter((passed) => passed === true).length;
      },
    });
  }
}

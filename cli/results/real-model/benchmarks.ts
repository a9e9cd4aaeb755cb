// The study's sets of tasks, with everything that a text of a task can be judged by.

import { join } from "node:path";
import { cutCompletion, programOf, type Check, type Program, type Task } from "../../evaluation/task.ts";
import { readTasks } from "../../evaluation/tasks.ts";
import { BENCHMARKS, type BenchmarkName, type TestsName } from "./plan.ts";

/** A task, and its checks by kind; a task whose prompt has no examples that can be run has no such check. */
export interface StudyTask {
  readonly task: Task;
  readonly checks: Readonly<Record<TestsName, Check | undefined>>;
}

/** Reads a benchmark from the folder of benchmarks; throws as `readTasks` does. */
export async function readBenchmark(data: string, benchmark: BenchmarkName): Promise<readonly StudyTask[]> {
  const { file } = BENCHMARKS[benchmark];
  const tasks = await readTasks(join(data, file));
  return tasks.map((task) => ({ task, checks: { examples: task.examples, base: task.check, plus: undefined } }));
}

/** The program that a text of a task makes, with this kind of check; undefined where the task has none. */
export function studyProgram({ task, checks }: StudyTask, tests: TestsName, text: string): Program | undefined {
  const check = checks[tests];
  return check === undefined ? undefined : programOf(task, cutCompletion(task, text), check);
}

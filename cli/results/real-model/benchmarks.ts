// The study's sets of tasks, with everything that a text of a task can be judged by.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { cutCompletion, programOf, type Check, type Program, type Task } from "../../evaluation/task.ts";
import { parseTasks, readTasks } from "../../evaluation/tasks.ts";
import { BENCHMARKS, taskFor, type BenchmarkName, type TestsName, type Way } from "./plan.ts";

/** A task, and its checks by kind; a task whose prompt has no examples that can be run has no such check. */
export interface StudyTask {
  readonly task: Task;
  readonly checks: Readonly<Record<TestsName, Check | undefined>>;
}

/** Reads a benchmark from the folder of benchmarks; throws as `readTasks` does. */
export async function readBenchmark(data: string, benchmark: BenchmarkName): Promise<readonly StudyTask[]> {
  const path = join(data, BENCHMARKS[benchmark].file);
  const tasks = await readTasks(path);
  switch (benchmark) {
    case "humaneval-x-js":
      return withChecks(tasks, tasks, []);
    case "humaneval":
      // HumanEval's prompts; HumanEval+ has the same but for one.
      return withChecks(tasks, tasks, await readTasks(join(data, "humaneval-plus/HumanEvalPlus-OriginFmt.jsonl.gz")));
    case "mbpp-plus":
      return withChecks(tasks, withoutPlus(path), tasks);
    default:
      return benchmark satisfies never;
  }
}

/** Tasks with the checks of others of the same names. */
function withChecks(tasks: readonly Task[], base: readonly Task[], plus: readonly Task[]): StudyTask[] {
  const [baseOf, plusOf] = [base, plus].map((all) => new Map(all.map(({ id, check }) => [id, check])));
  return tasks.map((task) => ({
    task,
    checks: { examples: task.examples, base: baseOf!.get(task.id), plus: plusOf!.get(task.id) },
  }));
}

/** MBPP+ as MBPP: the tests that both have. MBPP's own file has other descriptions and names for some of the tasks. */
function withoutPlus(path: string): Task[] {
  const bytes = readFileSync(path);
  const text = (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString("utf8");
  const rows = text.split("\n").filter((line) => line.trim() !== "");
  const base = rows.map((line) => JSON.stringify({ ...(JSON.parse(line) as object), test: undefined }));
  return parseTasks(new TextEncoder().encode(base.join("\n")), path);
}

/** The program that a text of a task, written in this way, makes, with this kind of check; undefined where the task has none. */
export function studyProgram(
  { task, checks }: StudyTask,
  way: Way,
  tests: TestsName,
  text: string,
): Program | undefined {
  const check = checks[tests];
  const given = taskFor(task, way);
  return check === undefined ? undefined : programOf(given, cutCompletion(given, text), check);
}

// The study's sets of tasks, with everything that a text of a task can be judged by.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { cutCompletion, programOf, type Check, type Program, type Task } from "../../evaluation/task.ts";
import { readTasks } from "../../evaluation/tasks.ts";
import { BENCHMARKS, type BenchmarkName, type TestsName } from "./plan.ts";

/** A task, and its checks by kind; a task whose prompt has no examples to run has no such check. */
export interface StudyTask {
  readonly task: Task;
  readonly checks: Readonly<Partial<Record<TestsName, Check>>>;
}

/** Reads a benchmark from the folder of benchmarks; throws as `readTasks` does. */
export async function readBenchmark(data: string, benchmark: BenchmarkName): Promise<readonly StudyTask[]> {
  const path = join(data, BENCHMARKS[benchmark].file);
  const tasks = await readTasks(path);
  const rows = new Map(rowsOf(path).map((row) => [String(row["task_id"]), row]));
  return tasks.map((task) => {
    const examples = rows.get(task.id)?.["example_test"];
    const hasExamples = typeof examples === "string" && examples.includes("console.assert");
    return {
      task,
      checks: { base: task.check, ...(hasExamples && { examples: { kind: "script", source: examples } as const }) },
    };
  });
}

/** The program that a text of a task makes, with this kind of check; undefined where the task has none. */
export function studyProgram({ task, checks }: StudyTask, tests: TestsName, text: string): Program | undefined {
  const check = checks[tests];
  return check === undefined ? undefined : programOf({ ...task, check }, cutCompletion(task, text));
}

function rowsOf(path: string): readonly Readonly<Record<string, unknown>>[] {
  const bytes = readFileSync(path);
  const text = (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString("utf8");
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
}

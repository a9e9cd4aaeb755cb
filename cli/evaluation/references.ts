// `--check-references`: runs each task's own solution through its own tests. No completion can pass a task whose own solution fails, so
// scores are read beside this count.

import { NOT_JUDGED, type Outcome } from "./outcome.ts";
import type { Sandbox } from "./sandbox.ts";
import { programOf, type Task } from "./task.ts";

/** A reference solution that fails. */
export interface FailedReference {
  readonly id: string;
  readonly outcome: Extract<Outcome, { passed: false }>;
}

/** The outcome of the reference solutions: plain JSON. */
export interface ReferenceReport {
  readonly tasks: number;
  readonly passed: number;
  /** in the order of the tasks */
  readonly failed: readonly FailedReference[];
}

/** Options of {@link checkReferences}. */
export interface ReferenceOptions {
  readonly tasks: readonly Task[];
  readonly sandbox: Sandbox;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Runs every task with its canonical solution. */
export async function checkReferences(options: ReferenceOptions): Promise<ReferenceReport> {
  const { tasks, sandbox, onProgress, signal } = options;
  let done = 0;
  const outcomes = await Promise.all(
    tasks.map(async (task) => {
      const outcome = await sandbox.run(programOf(task, task.canonicalSolution), signal);
      onProgress?.(++done, tasks.length);
      return { id: task.id, outcome };
    }),
  );
  const failed = outcomes.flatMap(({ id, outcome }) => (outcome.passed ? [] : [{ id, outcome }]));
  return { tasks: tasks.length, passed: tasks.length - failed.length, failed };
}

/** The report as lines of text: the count, then a line for each task that fails. */
export function describeReferences({ tasks, passed, failed }: ReferenceReport): string[] {
  const lines = failed.map(({ id, outcome }) =>
    outcome.kind === NOT_JUDGED
      ? `${id} is not judged: ${outcome.message}`
      : `${id} fails with its own solution: ${outcome.message}`,
  );
  return [`${passed} of ${tasks} reference solutions pass`, ...lines];
}

// `--check-references`: runs each task's own solution through its own tests. A task whose own solution fails may be one that nothing
// passes, so scores are read beside this count.

import { knownException } from "./known-exceptions.ts";
import { NOT_JUDGED, type Outcome } from "./outcome.ts";
import type { Sandbox } from "./sandbox.ts";
import { programOf, type Task } from "./task.ts";

/** A reference solution that fails. */
export interface FailedReference {
  readonly id: string;
  readonly outcome: Extract<Outcome, { passed: false }>;
  /** why it fails, where that is known of the set */
  readonly known?: string | undefined;
}

/** The outcome of the reference solutions: plain JSON. */
export interface ReferenceReport {
  readonly tasks: number;
  readonly passed: number;
  /** the tasks that have no solution of their own */
  readonly without: readonly string[];
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

/** Runs every task that has one with its canonical solution. */
export async function checkReferences(options: ReferenceOptions): Promise<ReferenceReport> {
  const { tasks, sandbox, onProgress, signal } = options;
  const solved = tasks.filter(({ canonicalSolution }) => canonicalSolution !== "");
  let done = 0;
  const outcomes = await Promise.all(
    solved.map(async (task) => {
      const outcome = await sandbox.run(programOf(task, task.canonicalSolution), signal);
      onProgress?.(++done, solved.length);
      return { id: task.id, outcome };
    }),
  );
  const failed = outcomes.flatMap(({ id, outcome }): FailedReference[] => {
    const known = !outcome.passed && outcome.kind !== NOT_JUDGED ? knownException(id) : undefined;
    return outcome.passed ? [] : [{ id, outcome, ...(known === undefined ? {} : { known }) }];
  });
  const without = tasks.filter(({ canonicalSolution }) => canonicalSolution === "").map(({ id }) => id);
  return { tasks: tasks.length, passed: solved.length - failed.length, without, failed };
}

/**
 * The report as lines of text: the count, the tasks without a solution, those that are known to fail, by reason, and then a line for
 * each other one that fails.
 */
export function describeReferences({ tasks, passed, without, failed }: ReferenceReport): string[] {
  const known = new Map<string, string[]>();
  for (const { id, known: why } of failed) {
    if (why === undefined) continue;
    const ids = known.get(why) ?? [];
    if (ids.push(id) === 1) known.set(why, ids);
  }
  return [
    `${passed} of ${tasks} reference solutions pass`,
    ...(without.length === 0 ? [] : [`${without.length} have no solution of their own: ${without.join(", ")}`]),
    ...[...known].map(([why, ids]) => `${ids.length} known to fail, as ${why}: ${ids.join(", ")}`),
    ...failed
      .filter(({ known: why }) => why === undefined)
      .map(({ id, outcome }) =>
        outcome.kind === NOT_JUDGED
          ? `${id} is not judged: ${outcome.message}`
          : `${id} fails with its own solution: ${outcome.message}`,
      ),
  ];
}

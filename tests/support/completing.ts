// A completer for tests of evaluations: texts by a function of the task, as many tasks at a time as an evaluation asks for.

import type { Complete } from "../../cli/evaluation/run.ts";
import type { Task } from "../../cli/evaluation/task.ts";

/** Completes tasks in rounds of `rows`; before each it tells which they are. */
export function completing(
  textsOf: (task: Task) => readonly string[],
  onRound: (ids: readonly string[], signal: AbortSignal | undefined) => void | Promise<void> = () => {},
): Complete {
  return async function* complete(tasks, { rows, signal }) {
    for (let begin = 0; begin < tasks.length; begin += rows) {
      const round = tasks.slice(begin, begin + rows);
      await onRound(
        round.map(({ id }) => id),
        signal,
      );
      for (const task of round) yield { task, texts: textsOf(task) };
    }
  };
}

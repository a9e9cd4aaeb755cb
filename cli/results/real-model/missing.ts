// What a report says of figures that are not there.

import { UnsupportedError } from "kedge";
import { FormatError } from "kedge/loaders";
import { BENCHMARKS, nameOf } from "./plan.ts";
import { Missing } from "./study.ts";

/** A figure, or why there is none. */
export type Measured<T> = { readonly value: T } | { readonly why: string };

/** The figure, or why there is none: completions that are missing, a benchmark that is not there, programs that cannot be run here. */
export async function measured<T>(work: () => Promise<T>): Promise<Measured<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof Missing) {
      const { benchmark, way, tasks } = error.job;
      return { why: `not measured yet (${BENCHMARKS[benchmark].title}, ${nameOf(way)}, ${TASKS[tasks]})` };
    }
    if (error instanceof FormatError) return { why: "not measured: the benchmark is not here" };
    if (error instanceof UnsupportedError) return { why: "completed, and not judged yet" };
    throw error;
  }
}

const TASKS = {
  all: "all tasks",
  tuning: "the tasks to tune on",
  held: "the tasks not used for tuning",
  failing: "the tasks whose plain text fails its examples",
} as const;

// Makes what the study lacks, one piece after the other.

import { loadModel, UnsupportedError } from "kedge";
import { FormatError } from "kedge/loaders";
import { generate, modelDigest } from "./generate.ts";
import { BENCHMARKS, nameOf, WORK, type Job, type Search } from "./plan.ts";
import { Missing, type Study } from "./study.ts";

/** Options of {@link completeWork}. */
export interface CompleteOptions {
  readonly study: Study;
  /** the model's folder */
  readonly model: string;
  /** where completions are kept */
  readonly folder: string;
  readonly work?: readonly (Job | Search)[];
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Makes the completions that a study lacks, one job after the other; benchmarks that cannot be read are left out.
 *
 * @throws the signal's reason; and what {@link generate} throws
 */
export async function completeWork(options: CompleteOptions): Promise<void> {
  const { study, folder, work = WORK, log, signal } = options;
  const leftOut = new Set<Job | Search>();
  const following = () => nextJob(study, work, leftOut, log);
  let job = await following();
  if (job === undefined) return;
  const digest = await modelDigest(options.model);
  const model = await loadModel(options.model, { quantize: "int8", device: "wasm", signal });
  try {
    while (job !== undefined) {
      const { benchmark, way } = job;
      const tasks = (await study.selected(benchmark, job.tasks)).map(({ task }) => task);
      const name = `${BENCHMARKS[benchmark].title}, ${nameOf(way)}, ${job.tasks} (${tasks.length} tasks)`;
      log(`${timeOfDay()} ${name}: begins`);
      const begin = performance.now();
      let [count, tokens] = [0, 0];
      const onCompletion = (completion: { readonly tokens: number }): void => {
        count++;
        tokens += completion.tokens;
        const rate = (1000 * tokens) / (performance.now() - begin);
        if (count % 10 === 0) log(`${timeOfDay()} ${name}: ${count} more, ${rate.toFixed(1)} tokens/s`);
      };
      await generate({ model, digest, folder, benchmark, way, tasks, signal, onCompletion });
      const next = await following();
      if (JSON.stringify(next) === JSON.stringify(job)) throw new Error(`${name}: is done, and still asked for`);
      job = next;
    }
  } finally {
    await model.dispose();
  }
}

/** The first piece of the work that is not done; undefined where all is, but for what cannot be read or judged here. */
async function nextJob(
  study: Study,
  work: readonly (Job | Search)[],
  leftOut: Set<Job | Search>,
  log: (line: string) => void,
): Promise<Job | undefined> {
  for (const piece of work) {
    if (leftOut.has(piece)) continue;
    try {
      await ("search" in piece ? study.search(piece.benchmark) : study.completions(piece));
    } catch (error) {
      if (error instanceof Missing) return error.job;
      if (!(error instanceof FormatError || error instanceof UnsupportedError)) throw error;
      const what = "search" in piece ? "the search for a strength" : nameOf(piece.way);
      log(`${BENCHMARKS[piece.benchmark].title}, ${what}, is left out: ${error.message}`);
      leftOut.add(piece);
    }
  }
  return undefined;
}

function timeOfDay(): string {
  return new Date().toISOString().slice(11, 19);
}

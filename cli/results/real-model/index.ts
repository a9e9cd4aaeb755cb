// The study on a real code model: completions, made once and kept; their scores; the report.

import { loadModel } from "kedge";
import { FormatError } from "kedge/loaders";
import { openSandbox } from "../../evaluation/sandbox.ts";
import { generate, modelDigest } from "./generate.ts";
import { BENCHMARKS, nameOf, WORK, type BenchmarkName, type Job, type Search } from "./plan.ts";
import { Missing, Study } from "./study.ts";
import { Verdicts } from "./verdicts.ts";

/** Where completions and verdicts are kept. */
export const STORE = "bench/results/real-model";

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

/** Options of {@link realModel}. */
export interface RealModelOptions {
  /** Qwen2.5-Coder-0.5B-Instruct; without it, no completions are made */
  readonly model?: string | undefined;
  /** the folder of benchmarks */
  readonly data: string;
  /** how long to make completions; until all are there by default */
  readonly hours?: number | undefined;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Makes the completions that are not there yet, until the time is over. */
export async function realModel({ model, data, hours, log, signal }: RealModelOptions): Promise<void> {
  const sandbox = openSandbox({ workers: 2 });
  try {
    using verdicts = new Verdicts(STORE, sandbox);
    const study = new Study({ folder: STORE, data, verdicts });
    if (model !== undefined) {
      const limit = hours === undefined ? undefined : AbortSignal.timeout(hours * 3_600_000);
      const either = limit === undefined ? signal : AbortSignal.any([signal, limit]);
      try {
        await completeWork({ study, model, folder: STORE, log, signal: either });
      } catch (error) {
        if (limit?.aborted !== true || signal.aborted) throw error;
        log(`${hours} hours are over: the same command goes on`);
      }
    }
  } finally {
    await sandbox.dispose();
  }
}

/**
 * Makes the completions that a study lacks, one job after the other; benchmarks that cannot be read are left out.
 *
 * @throws the signal's reason; and what {@link generate} throws
 */
export async function completeWork(options: CompleteOptions): Promise<void> {
  const { study, folder, work = WORK, log, signal } = options;
  const leftOut = new Set<BenchmarkName>();
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

/** The first piece of the work that is not done; undefined where all is, but for benchmarks that cannot be read. */
async function nextJob(
  study: Study,
  work: readonly (Job | Search)[],
  leftOut: Set<BenchmarkName>,
  log: (line: string) => void,
): Promise<Job | undefined> {
  for (const piece of work) {
    if (leftOut.has(piece.benchmark)) continue;
    try {
      await ("search" in piece ? study.search(piece.benchmark) : study.completions(piece));
    } catch (error) {
      if (error instanceof Missing) return error.job;
      if (!(error instanceof FormatError)) throw error;
      log(`${BENCHMARKS[piece.benchmark].title} is left out: ${error.message}`);
      leftOut.add(piece.benchmark);
    }
  }
  return undefined;
}

function timeOfDay(): string {
  return new Date().toISOString().slice(11, 19);
}

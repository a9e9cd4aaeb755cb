// Measures one way of decoding on a set of tasks: passes, speed and cache memory.

import type { Model } from "kedge";
import { decodingSettings, modelCompleter, type Decoding } from "./completer.ts";
import { evaluate, type Evaluation, type EvaluationProgress } from "./run.ts";
import type { Sandbox } from "./sandbox.ts";
import { mcNemar, type PairedTest } from "./scoring.ts";
import type { Task } from "./task.ts";

/** Options of {@link measure}. */
export interface MeasureOptions {
  readonly model: Model;
  readonly modelName: string;
  readonly tasks: readonly Task[];
  readonly sandbox: Sandbox;
  readonly decoding: Decoding;
  readonly batchSize?: number | undefined;
  readonly limit?: number | undefined;
  readonly resultsFile?: string | undefined;
  readonly resume?: boolean | undefined;
  readonly onProgress?: ((progress: EvaluationProgress) => void) | undefined;
  /** called with notes, one sentence each; the same for each batch */
  readonly onNote?: ((note: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A score and what it cost. */
export interface Measurement {
  readonly decoding: Decoding;
  readonly evaluation: Evaluation;
  /** tokens written, all rows together, and how long that took; tasks of an earlier run not counted */
  readonly tokens: number;
  readonly seconds: number;
  /** bytes of keys and values, exact: over the steps, and what a cache that drops nothing would have taken */
  readonly cache: {
    readonly mean: number;
    readonly peak: number;
    readonly denseMean: number;
    readonly densePeak: number;
  };
}

/** Runs and scores the tasks. */
export async function measure(options: MeasureOptions): Promise<Measurement> {
  const { model, modelName, decoding, tasks, sandbox } = options;
  let tokens = 0;
  let seconds = 0;
  const complete = modelCompleter(model, decoding, { onTokens: (count) => (tokens += count), onNote: options.onNote });
  model.resetCacheStatistics();
  const evaluation = await evaluate({
    tasks,
    sandbox,
    samples: decoding.samples,
    settings: {
      model: modelName,
      device: model.device.name,
      cacheType: model.cacheType,
      ...decodingSettings(decoding),
    },
    complete: async function* timed(open, more) {
      const begin = performance.now();
      yield* complete(open, more);
      seconds = (performance.now() - begin) / 1000;
    },
    batchSize: options.batchSize,
    limit: options.limit,
    resultsFile: options.resultsFile,
    resume: options.resume,
    onProgress: options.onProgress,
    signal: options.signal,
  });
  const { mean, peak, denseMean, densePeak } = model.cacheStatistics();
  return { decoding, evaluation, tokens, seconds, cache: { mean, peak, denseMean, densePeak } };
}

/** Which tasks a measurement passes, in order. */
export function passes({ evaluation }: Measurement): boolean[] {
  return evaluation.results.map(({ samples }) => samples[0]!.outcome.passed);
}

/** Whether two ways of decoding the same tasks differ by more than chance. */
export function compared(first: Measurement, second: Measurement): PairedTest {
  return mcNemar(passes(first), passes(second));
}

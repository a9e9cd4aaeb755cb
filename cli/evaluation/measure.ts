// Measures ways of decoding on a set of tasks, one or several in one batch: passes, speed and cache memory.

import type { CachePolicy, Model } from "kedge";
import { decodingSettings, waysCompleter, type Decoding } from "./completer.ts";
import { isJudged } from "./outcome.ts";
import { evaluateWays, type Evaluation, type WaysProgress } from "./run.ts";
import type { Sandbox } from "./sandbox.ts";
import { mcNemar, type PairedTest } from "./scoring.ts";
import type { Task } from "./task.ts";

/** Options of {@link measureAll}. */
export interface MeasureAllOptions {
  readonly model: Model;
  readonly modelName: string;
  readonly tasks: readonly Task[];
  readonly sandbox: Sandbox;
  /** ways of decoding, which all run in one batch */
  readonly decodings: readonly Decoding[];
  /** texts decoded at a time, of all ways together */
  readonly batchSize?: number | undefined;
  readonly limit?: number | undefined;
  /** one for each way */
  readonly resultsFiles?: readonly string[] | undefined;
  readonly resume?: boolean | undefined;
  readonly onProgress?: ((progress: WaysProgress) => void) | undefined;
  /** called with notes, one sentence each; the same for each batch */
  readonly onNote?: ((note: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link measure}. */
export interface MeasureOptions extends Omit<MeasureAllOptions, "decodings" | "resultsFiles"> {
  readonly decoding: Decoding;
  readonly resultsFile?: string | undefined;
}

/** A score and what it cost. */
export interface Measurement {
  readonly decoding: Decoding;
  readonly evaluation: Evaluation;
  /** tokens written in this way; tasks of an earlier run not counted */
  readonly tokens: number;
  /** how long the batch took, all its ways together; tasks of an earlier run not counted */
  readonly seconds: number;
  /** bytes of this way's keys and values, exact: over the steps, and what a cache that drops nothing would have taken */
  readonly cache: {
    readonly mean: number;
    readonly peak: number;
    readonly denseMean: number;
    readonly densePeak: number;
  };
}

/** Runs and scores the tasks. */
export async function measure({ decoding, resultsFile, ...rest }: MeasureOptions): Promise<Measurement> {
  const resultsFiles = resultsFile === undefined ? undefined : [resultsFile];
  const [measurement] = await measureAll({ ...rest, decodings: [decoding], resultsFiles });
  return measurement!;
}

/**
 * Runs and scores the tasks in several ways at once, in one batch that stays full: the ways of a task share what is read of its prompt.
 * The texts are those of each way alone, but for logits that are equal to rounding. One measurement for each decoding, in their order.
 */
export async function measureAll(options: MeasureAllOptions): Promise<readonly Measurement[]> {
  const { model, modelName, decodings, resultsFiles, onNote, ...rest } = options;
  // Statistics are told apart by the policy: each way has one of its own.
  const policies = decodings.map(({ cache }): CachePolicy => (cache ? { ...cache } : { name: "model", rule: {} }));
  const own = decodings.map((decoding, i) => ({ ...decoding, cache: policies[i]! }));
  const tokens = decodings.map(() => 0);
  let seconds = 0;
  const complete = waysCompleter(model, own, { onTokens: (count, way) => (tokens[way]! += count), onNote });
  for (const policy of policies) model.resetCacheStatistics(policy);
  const evaluations = await evaluateWays({
    ...rest,
    ways: decodings.map((decoding, i) => ({
      samples: decoding.samples,
      resultsFile: resultsFiles?.[i],
      settings: {
        model: modelName,
        device: model.device.name,
        cacheType: model.cacheType,
        ...decodingSettings(decoding),
      },
    })),
    complete: async function* timed(open, more) {
      const begin = performance.now();
      yield* complete(open, more);
      seconds = (performance.now() - begin) / 1000;
    },
  });
  return decodings.map((decoding, i) => {
    const { mean, peak, denseMean, densePeak } = model.cacheStatistics(policies[i]);
    const cache = { mean, peak, denseMean, densePeak };
    return { decoding, evaluation: evaluations[i]!, tokens: tokens[i]!, seconds, cache };
  });
}

/** Which tasks a measurement passes, in order. */
export function passes({ evaluation }: Measurement): boolean[] {
  return evaluation.results.map(({ samples }) => samples[0]!.outcome.passed);
}

/** Whether two ways of decoding the same tasks differ by more than chance, on the tasks that were judged in both. */
export function compared(first: Measurement, second: Measurement): PairedTest {
  const [one, other] = [passes(first), passes(second)];
  const isBoth = first.evaluation.results.map(
    ({ samples }, i) => isJudged(samples[0]!.outcome) && isJudged(second.evaluation.results[i]!.samples[0]!.outcome),
  );
  return mcNemar(
    one.filter((_, i) => isBoth[i]),
    other.filter((_, i) => isBoth[i]),
  );
}

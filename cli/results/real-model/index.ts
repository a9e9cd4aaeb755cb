// The study on a real code model: its completions, made once and kept; their scores; its section of the report.

import { openSandbox } from "../../evaluation/sandbox.ts";
import { isDilutionDone, readDilution, readPerplexities } from "./measurements.ts";
import { measured } from "./missing.ts";
import { dilutionPlot } from "./plot.ts";
import { realModelSection } from "./report.ts";
import { Study } from "./study.ts";
import { Verdicts } from "./verdicts.ts";
import { completeWork } from "./work.ts";

/** Where completions and verdicts are kept. */
export const STORE = "bench/results/real-model";

/** Options of {@link realModel}. */
export interface RealModelOptions {
  /** Qwen2.5-Coder-0.5B-Instruct; without it, nothing is made that is missing */
  readonly model?: string | undefined;
  /** the folder of benchmarks */
  readonly data: string;
  /** how long to make what is missing; until all is there by default */
  readonly hours?: number | undefined;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** The study's part of the report. */
export interface RealModelReport {
  /** in Markdown */
  readonly section: string;
  /** of dilution, where that is measured: SVG, for the file that the section names */
  readonly plot: string | undefined;
}

/**
 * Makes what is missing until the time is over, and resolves with its part of the report, of what is there then. Whatever ends it, what was
 * made is kept.
 *
 * @throws the signal's reason; and what `completeWork` throws
 */
export async function realModel({ model, data, hours, log, signal }: RealModelOptions): Promise<RealModelReport> {
  const sandbox = openSandbox({ workers: 2 });
  const verdicts = new Verdicts(STORE, sandbox);
  try {
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
    // A part of the tasks would be another set of tasks.
    const isWhole = await measured(() => isDilutionDone({ study, folder: STORE }));
    const dilution = "value" in isWhole && isWhole.value ? readDilution(STORE) : [];
    const section = await realModelSection(study, { dilution, perplexities: readPerplexities(STORE) });
    return { section, plot: dilution.length === 0 ? undefined : await dilutionPlot(dilution) };
  } finally {
    verdicts.close();
    await sandbox.dispose();
  }
}

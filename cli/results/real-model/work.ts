// Makes what the study lacks, one piece after the other.

import { loadModel, UnsupportedError, type Model } from "kedge";
import { FormatError } from "kedge/loaders";
import { generate, modelDigest } from "./generate.ts";
import { arePerplexitiesDone, isDilutionDone, measureDilution, measurePerplexities } from "./measurements.ts";
import { BENCHMARKS, nameOf, TUNING_GRID, WORK, type Job, type Measurement, type Piece, type Way } from "./plan.ts";
import { Missing, type Study } from "./study.ts";

/** Options of {@link completeWork}. */
export interface CompleteOptions {
  readonly study: Study;
  /** the model's folder */
  readonly model: string;
  /** where completions are kept */
  readonly folder: string;
  readonly work?: readonly Piece[];
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Makes what a study lacks, one piece after the other; what cannot be read or judged here is left out.
 *
 * @throws the signal's reason; and what {@link generate} throws
 */
export async function completeWork(options: CompleteOptions): Promise<void> {
  const leftOut = new Set<Piece>();
  let piece = await nextPiece(options, leftOut);
  if (piece === undefined) return;
  const digest = await modelDigest(options.model);
  const model = await loadModel(options.model, { quantize: "int8", device: "wasm", signal: options.signal });
  try {
    while (piece !== undefined) {
      await make(piece, model, digest, options);
      const next = await nextPiece(options, leftOut);
      if (JSON.stringify(next) === JSON.stringify(piece))
        throw new Error(`${titleOf(piece)}: is done, and still asked for`);
      piece = next;
    }
  } finally {
    await model.dispose();
  }
}

/** Makes one piece. */
async function make(piece: Job | Measurement, model: Model, digest: string, options: CompleteOptions): Promise<void> {
  const { study, folder, log, signal } = options;
  log(`${timeOfDay()} ${titleOf(piece)}: begins`);
  if ("measure" in piece) {
    const measure = piece.measure === "dilution" ? measureDilution : measurePerplexities;
    await measure(model, digest, { study, folder, signal });
    return;
  }
  const { benchmark } = piece;
  const ways = await togetherWith(piece, options);
  if (ways.length > 1) log(`  together with ${ways.slice(1).map(nameOf).join(", ")}`);
  const tasks = (await study.selected(benchmark, piece.tasks)).map(({ task }) => task);
  const begin = performance.now();
  let [count, tokens] = [0, 0];
  const onCompletion = (completion: { readonly tokens: number }): void => {
    count++;
    tokens += completion.tokens;
    const rate = (1000 * tokens) / (performance.now() - begin);
    if (count % 10 === 0)
      log(
        `${timeOfDay()} ${titleOf(piece)}: ${count} more of ${tasks.length * ways.length}, ${rate.toFixed(1)} tokens/s`,
      );
  };
  await generate({ model, digest, folder, benchmark, ways, tasks, signal, onCompletion });
}

/** Most ways in one batch. */
const WAYS = 6;

/**
 * A job's way, and others that the same tasks are to be completed in and that have not been: they share the reading of prompts. A search for
 * a strength will ask for all of its grid.
 */
async function togetherWith(job: Job, { study, work = WORK }: CompleteOptions): Promise<readonly Way[]> {
  const others = work.flatMap((piece): Way[] => {
    if ("measure" in piece || piece.benchmark !== job.benchmark) return [];
    if ("search" in piece) return job.tasks === "tuning" ? TUNING_GRID.map((strength) => ({ strength })) : [];
    return piece.tasks === job.tasks ? [piece.way] : [];
  });
  const ways = new Map([[nameOf(job.way), job.way]]);
  for (const way of others) {
    if (ways.size === WAYS) break;
    if (job.way.cache !== undefined || way.cache !== undefined) continue;
    if (!(await isDone(study, { ...job, way }))) ways.set(nameOf(way), way);
  }
  return [...ways.values()];
}

async function isDone(study: Study, job: Job): Promise<boolean> {
  try {
    await study.completions(job);
    return true;
  } catch (error) {
    if (error instanceof Missing) return false;
    throw error;
  }
}

/** The first piece of the work that is not done; undefined where all is, but for what cannot be read or judged here. */
async function nextPiece(options: CompleteOptions, leftOut: Set<Piece>): Promise<Job | Measurement | undefined> {
  const { work = WORK, log } = options;
  for (const piece of work) {
    if (leftOut.has(piece)) continue;
    try {
      const missing = await missingOf(piece, options);
      if (missing !== undefined) return missing;
    } catch (error) {
      if (error instanceof Missing) return error.job;
      if (!(error instanceof FormatError || error instanceof UnsupportedError)) throw error;
      log(`${titleOf(piece)}, is left out: ${error.message}`);
      leftOut.add(piece);
    }
  }
  return undefined;
}

/** The measurement that a piece lacks; undefined where it is done. Throws {@link Missing} with the completions that it lacks. */
async function missingOf(piece: Piece, { study, folder }: CompleteOptions): Promise<Measurement | undefined> {
  if ("search" in piece) await study.search(piece.benchmark);
  else if ("way" in piece) await study.completions(piece);
  else {
    const isMeasured = piece.measure === "dilution" ? isDilutionDone : arePerplexitiesDone;
    if (!(await isMeasured({ study, folder }))) return piece;
  }
  return undefined;
}

function titleOf(piece: Piece): string {
  const { title } = BENCHMARKS[piece.benchmark];
  if ("search" in piece) return `${title}, the search for a strength`;
  return "measure" in piece ? `${title}, ${piece.measure}` : `${title}, ${nameOf(piece.way)}, ${piece.tasks} tasks`;
}

function timeOfDay(): string {
  return new Date().toISOString().slice(11, 19);
}

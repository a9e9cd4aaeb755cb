// kedge eval: runs a set of programming tasks and scores it. Several caches and strengths make a table.

import { join, parse } from "node:path";
import type { Command } from "commander";
import type { CachePolicy } from "kedge";
import { parsePolicy, POLICY_FORMS } from "kedge/policies";
import { notesOf } from "./anchoring.ts";
import { addCacheType, addDevice, addJson, number, UsageError, whole, type DeviceArguments } from "./arguments.ts";
import type { Decoding } from "./evaluation/completer.ts";
import { compared, measureAll, type Measurement } from "./evaluation/measure.ts";
import { progressShower } from "./evaluation/progress-line.ts";
import { checkReferences, describeReferences } from "./evaluation/references.ts";
import type { Sandbox } from "./evaluation/sandbox.ts";
import { pText } from "./evaluation/scoring.ts";
import type { Task } from "./evaluation/task.ts";
import { readTasks } from "./evaluation/tasks.ts";
import { lockFile, type FileLock } from "./file-lock.ts";
import * as format from "./format.ts";
import { loadOptions, withModel } from "./loading.ts";
import {
  addTaskDecoding,
  asGiven,
  noteUnanchored,
  openTaskSandbox,
  type TaskDecodingArguments,
} from "./task-decoding.ts";
import type { Bar, Terminal } from "./terminal.ts";
import type { Verb } from "./verb.ts";

interface EvalArguments extends DeviceArguments, TaskDecodingArguments {
  readonly cache?: readonly CachePolicy[];
  readonly anchoring?: readonly number[];
  readonly samples: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly results?: string;
  readonly resume?: boolean;
  readonly checkReferences?: boolean;
  readonly json?: boolean;
}

/** `kedge eval MODEL TASKS` */
export const evaluateVerb: Verb = {
  name: "eval",
  configure(command: Command) {
    command
      .summary("score a model on programming tasks")
      .description(
        "Completes the tasks of a .jsonl file (HumanEval, HumanEval+, MBPP, MBPP+, HumanEval-X or MBXP in JavaScript, or kedge's own format; also .gz), runs what was written in a sandbox, and scores it. --cache and --anchoring may be given several times: then each combination is a row of a table, and all are decoded in one batch.",
      )
      .argument("<model>", "a folder, its http(s) address, or owner/name on the Hugging Face Hub")
      .argument("<tasks>", "a .jsonl or .jsonl.gz file")
      .option("--cache <policy>", `which keys to keep: ${POLICY_FORMS.join(", ")}`, policyList)
      .option(
        "--anchoring <w>",
        "hold on to each task's description with this strength; 1 is the plain model",
        strengthList,
      )
      .option("--samples <n>", "completions of each task, for pass@k", whole("--samples", 1, 1024), 1)
      .option(
        "-t, --temperature <t>",
        "of samples (default: 0, and 0.8 with --samples)",
        number("--temperature", "a number of at least 0", (value) => value >= 0),
      )
      .option(
        "--top-p <p>",
        "of samples",
        number("--top-p", "a number above 0 and at most 1", (value) => value > 0 && value <= 1),
      )
      .option(
        "--results <file>",
        "write a line a task to this file; of several combinations, to a file each, named after it",
      )
      .option("--resume", "go on with the results file of an interrupted run")
      .option("--check-references", "run the tasks' own solutions instead of a model's");
    addJson(addDevice(addTaskDecoding(addCacheType(command), "of samples")));
  },
  async execute(terminal, [source, path], given: EvalArguments) {
    if (given.resume && given.results === undefined)
      throw new UsageError("--resume wants --results FILE to go on with");
    if (given.checkReferences && given.results !== undefined)
      throw new UsageError("--check-references runs no model: it has no --results");
    const tasks = await readTasks(path!);
    const decodings = decodingsOf(given);
    const files = given.results === undefined ? undefined : resultsFiles(given.results, decodings);
    const locks: FileLock[] = [];
    const sandbox = openTaskSandbox(tasks.slice(0, given.limit), given, terminal);
    try {
      for (const file of files ?? []) locks.push(await lockFile(file));
      return given.checkReferences
        ? await references(terminal, tasks, sandbox, given)
        : await scoreAll({ terminal, source: source!, path: path!, tasks, sandbox, decodings, files, given });
    } finally {
      for (const lock of locks) lock.release();
      await sandbox.dispose();
    }
  },
};

interface Scoring {
  readonly terminal: Terminal;
  readonly source: string;
  readonly path: string;
  readonly tasks: readonly Task[];
  readonly sandbox: Sandbox;
  readonly decodings: readonly Decoding[];
  /** one for each of the decodings */
  readonly files: readonly string[] | undefined;
  readonly given: EvalArguments;
}

/** Scores each way of decoding, and prints the table. */
function scoreAll({ terminal, source, path, tasks, sandbox, decodings, files, given }: Scoring): Promise<number> {
  return withModel(source, loadOptions(given), terminal, async ({ model, name }) => {
    const onNote = notesOf(terminal);
    if (decodings.some(({ strength }) => strength !== 1)) noteUnanchored(tasks.slice(0, given.limit), terminal);
    const rows = await withHint(terminal, files, (bar) =>
      measureAll({
        model,
        modelName: name,
        tasks: asGiven(tasks, given, model, name),
        sandbox,
        decodings,
        batchSize: given.batch,
        limit: given.limit,
        resultsFiles: files,
        resume: given.resume,
        signal: terminal.signal,
        onNote,
        onProgress: progressShower({ terminal, bar, rows: given.batch }),
      }),
    );
    if (given.json) {
      const { device, cacheType } = model;
      terminal.printJson({
        model: name,
        device: device.name,
        cacheType,
        tasks: path,
        rows: rows.map((row, i) => ({
          ...asJson(row),
          ...(isPaired(rows) && i > 0 ? { againstFirst: compared(rows[0]!, row) } : {}),
        })),
      });
    } else {
      print(terminal, rows);
    }
    return 0;
  });
}

/** Does something with a bar; if it is interrupted, says how to go on. */
async function withHint<T>(
  terminal: Terminal,
  files: readonly string[] | undefined,
  work: (bar: Bar) => Promise<T>,
): Promise<T> {
  try {
    return await terminal.withBar(work);
  } catch (error) {
    if (terminal.signal.aborted && files !== undefined)
      terminal.warn(
        `interrupted: the results so far are in ${files.join(", ")}; the same command with --resume continues`,
      );
    throw error;
  }
}

async function references(
  terminal: Terminal,
  tasks: readonly Task[],
  sandbox: Sandbox,
  { limit, json }: EvalArguments,
): Promise<number> {
  const report = await terminal.withBar((bar) =>
    checkReferences({
      tasks: limit === undefined ? tasks : tasks.slice(0, limit),
      sandbox,
      signal: terminal.signal,
      onProgress: (done, total) => bar.update(done, total, "references"),
    }),
  );
  if (json) terminal.printJson(report);
  else terminal.print(...describeReferences(report));
  return 0;
}

/** Every combination of caches and strengths. */
function decodingsOf(given: EvalArguments): Decoding[] {
  const caches: readonly (CachePolicy | undefined)[] = given.cache ?? [undefined];
  const temperature = given.temperature ?? (given.samples > 1 ? 0.8 : 0);
  return caches.flatMap((cache) =>
    (given.anchoring ?? [1]).map((strength): Decoding => ({
      cache,
      strength,
      grouping: given.groups,
      byNeglect: given.byNeglect === true && strength !== 1,
      samples: given.samples,
      temperature,
      topP: given.topP,
      seed: given.seed,
      maxTokens: given.maxTokens,
    })),
  );
}

/** The results files of ways of decoding: the one that was asked for, or one for each, with the way behind its name. */
export function resultsFiles(path: string, decodings: readonly Decoding[]): readonly string[] {
  if (decodings.length === 1) return [path];
  const { dir, name, ext } = parse(path);
  const files = decodings.map(({ cache, strength }) => {
    const policy = (cache?.name ?? "model").replaceAll("%", "pct").replaceAll(/[^\w.,=-]+/g, "-");
    return join(dir, `${name}_${policy}_${strength}${ext}`);
  });
  const twice = files.find((file, i) => files.indexOf(file) < i);
  if (twice !== undefined)
    throw new UsageError(`--results: two of the combinations would be in ${twice}: ask for each once`);
  return files;
}

/** The name of a row. */
export function labelOf({ cache, strength, grouping, byNeglect }: Decoding): string {
  const kind = byNeglect ? "byNeglect up to " : "";
  const anchoring =
    strength === 1 ? "" : `, SPA ${kind}${strength}${grouping === "one" ? "" : ` by ${grouping.slice(0, -1)}`}`;
  return `${cache?.name ?? "the model's cache"}${anchoring}`;
}

function print(terminal: Terminal, rows: readonly Measurement[]): void {
  const hasTest = isPaired(rows);
  const columns = [
    "decoding",
    ...Object.keys(rows[0]!.evaluation.passAt).map((k) => `pass@${k}`),
    "95 %",
    "tokens",
    "cache mean",
    "peak",
    ...(hasTest ? ["McNemar"] : []),
  ];
  const lines = rows.map((row, i) => {
    const { decoding, evaluation, tokens, cache } = row;
    return [
      labelOf(decoding),
      ...Object.values(evaluation.passAt).map((rate) => rate.toFixed(3)),
      format.interval(evaluation.interval),
      format.grouped(tokens),
      `${format.bytes(cache.mean)} (${share(cache.mean, cache.denseMean)})`,
      `${format.bytes(cache.peak)} (${share(cache.peak, cache.densePeak)})`,
      ...(hasTest && i > 0 ? [pText(compared(rows[0]!, row).pValue)] : []),
    ];
  });
  terminal.print(...format.table([columns, ...lines], columns.map((_, i) => i).slice(1)));
  const [{ evaluation, seconds }] = rows as [Measurement];
  const tokens = rows.reduce((sum, row) => sum + row.tokens, 0);
  const rate = seconds > 0 ? `, ${format.rate(tokens / seconds)} tokens/s` : "";
  for (const line of notJudgedLines(evaluation)) terminal.print(line);
  const failures = Object.entries(evaluation.failures).filter(([, count]) => count > 0);
  const paired = hasTest ? "; p is of McNemar's exact test against the first row" : "";
  terminal.note(
    `${format.plural(evaluation.tasks, "task")}${rate}; shares are of a cache that drops nothing${paired}${
      rows.length === 1 && failures.length > 0
        ? `; failed: ${failures.map(([kind, count]) => `${count} ${kind}`).join(", ")}`
        : ""
    }`,
  );
}

/** Says which tasks no score counts, and what each needs; nothing where all were judged. */
export function notJudgedLines({ tasks, notJudged }: Measurement["evaluation"]): string[] {
  if (notJudged.length === 0) return [];
  const named = notJudged.map(({ id, reason }) => `${id} ${reason}`).join("; ");
  return [`not judged, and left out of the scores: ${notJudged.length} of ${format.plural(tasks, "task")} (${named})`];
}

/** Several ways of decoding the same tasks, one sample each: they are compared task by task. */
function isPaired(rows: readonly Measurement[]): boolean {
  return rows.length > 1 && rows.every(({ evaluation }) => evaluation.samples === 1);
}

function share(part: number, dense: number): string {
  return dense > 0 ? `${((100 * part) / dense).toFixed(0)} %` : "-";
}

function asJson({ decoding, evaluation, ...rest }: Measurement): object {
  const { results: _results, ...scores } = evaluation;
  return { decoding: { ...decoding, cache: decoding.cache?.name ?? "model" }, ...scores, ...rest };
}

function policyList(text: string, earlier: readonly CachePolicy[] | undefined): readonly CachePolicy[] {
  try {
    return [...(earlier ?? []), parsePolicy(text)];
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--cache: ${error.message}`, { cause: error });
    throw error;
  }
}

function strengthList(text: string, earlier: readonly number[] | undefined): readonly number[] {
  return [...(earlier ?? []), number("--anchoring", "a number", () => true)(text)];
}

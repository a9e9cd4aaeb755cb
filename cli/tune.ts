// kedge tune: finds the anchoring strength on a share of the tasks, and scores it on the rest. What has been scored is kept in
// a file as it comes, so that an interrupted search continues where it stopped.

import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Command } from "commander";
import { FormatError, type Model } from "kedge";
import { tuneStrength, type TuneResult, type TuneState } from "kedge/anchoring";
import { replaceableFile, writeProblem, writeWholeFile } from "kedge/loaders";
import { notesOf } from "./anchoring.ts";
import { addDevice, addJson, number, type DeviceArguments } from "./arguments.ts";
import { decodingSettings, PLAIN, type Decoding } from "./evaluation/completer.ts";
import { measure, passes as passesOf } from "./evaluation/measure.ts";
import { progressShower } from "./evaluation/progress-line.ts";
import type { Sandbox } from "./evaluation/sandbox.ts";
import { mcNemar, pText, type PairedTest } from "./evaluation/scoring.ts";
import { tuningVerdict, type TuningVerdict } from "./evaluation/tuning-verdict.ts";
import type { Task } from "./evaluation/task.ts";
import { readTasks } from "./evaluation/tasks.ts";
import { lockFile } from "./file-lock.ts";
import * as format from "./format.ts";
import { loadOptions, withModel } from "./loading.ts";
import {
  addTaskDecoding,
  asGiven,
  noteUnanchored,
  openTaskSandbox,
  type TaskDecodingArguments,
} from "./task-decoding.ts";
import type { Terminal } from "./terminal.ts";
import type { Verb } from "./verb.ts";

interface TuneArguments extends DeviceArguments, TaskDecodingArguments {
  readonly share: number;
  readonly low: number;
  readonly high: number;
  readonly step: number;
  readonly out: string;
  readonly json?: boolean;
}

/** The contents of the file: the settings that the scores belong to, the search, and its result once there is one. */
interface TuneFile {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly state: TuneState;
  /** which tasks passed; absent in files of earlier versions */
  readonly passes?: Passes;
  readonly result?: TuneOutcome;
}

/** What was found: the search's result, and what it shows. */
type TuneOutcome = Omit<TuneResult, "state"> & {
  readonly paired: PairedTest | null;
  /** null where single outcomes are not known: the search began with an earlier version */
  readonly verdict: TuningVerdict | null;
};

/** The numbers of the tasks that passed, by strength and the first of the tasks that were scored together. */
type Passes = Readonly<Record<string, readonly number[]>>;

function keyOf(strength: number, [first]: readonly number[]): string {
  return `${strength}@${first}`;
}

const real = (name: string) => number(name, "a number", () => true);

/** `kedge tune MODEL TASKS` */
export const tune: Verb = {
  name: "tune",
  configure(command: Command) {
    command
      .summary("find the anchoring strength on a set of tasks")
      .description(
        "Searches the strength of Selective Prompt Anchoring that passes most of a share of the tasks (coarsely, then finely), prints the curve, and tests the best on the rest: the last line says whether it helps. Goes on with the --out file of an interrupted search.",
      )
      .argument("<model>", "a folder, its http(s) address, or owner/name on the Hugging Face Hub")
      .argument("<tasks>", "a .jsonl or .jsonl.gz file")
      .option(
        "--share <s>",
        "share of the tasks to tune on",
        number("--share", "a number above 0 and below 1", (value) => value > 0 && value < 1),
        0.18,
      )
      .option("--low <w>", "least strength", real("--low"), 1)
      .option("--high <w>", "largest strength", real("--high"), 1.8)
      .option("--step <w>", "of the coarse search", real("--step"), 0.1)
      .option("-o, --out <file>", "where the search and its result are kept", "kedge-tune.json");
    addJson(addDevice(addTaskDecoding(command, "which tasks to tune on")));
  },
  async execute(terminal, [source, path], given: TuneArguments) {
    const all = await readTasks(path!);
    const tasks = all.slice(0, given.limit);
    noteUnanchored(tasks, terminal);
    refuseUnwritable(given.out);
    const lock = await lockFile(given.out);
    const sandbox = openTaskSandbox(tasks, given, terminal);
    const searched = withModel(source!, loadOptions(given), terminal, async ({ model, name }) => {
      const decoding: Decoding = {
        ...PLAIN,
        grouping: given.groups,
        byNeglect: given.byNeglect === true,
        maxTokens: given.maxTokens,
      };
      const { strength: _strength, seed: _seed, ...decoded } = decodingSettings(decoding);
      const { share, low, high, step, seed } = given;
      const ids = tasks.map(({ id }) => id);
      const settings = {
        ...{ model: name, device: model.device.name, ...decoded },
        ...{ share, low, high, step, seed, tasks: ids },
        ...(given.chat ? { chat: true } : {}),
        ...(given.python === undefined ? {} : { python: given.python }),
      };
      const kept = readKept(given.out, settings);
      if (kept)
        terminal.note(
          `going on with ${given.out}: ${format.plural(kept.state.scores.length + kept.state.held.length, "score")} so far`,
        );
      const passes: Record<string, readonly number[]> = { ...kept?.passes };
      const asked = asGiven(tasks, given, model, name);
      const parts = { model, name, tasks: asked, sandbox, decoding, given, settings, terminal, passes };
      const result = await search({ ...parts, kept: kept?.state });
      const { state, ...found } = result;
      const rest: TuneOutcome = { ...found, paired: pairedTest(result, passes), verdict: verdictOf(result, passes) };
      keep(given.out, { settings, state, passes, result: rest });
      if (given.json) terminal.printJson(rest);
      else print(terminal, rest, given.out);
      return 0;
    });
    return searched.finally(() => {
      lock.release();
      return sandbox.dispose();
    });
  },
};

interface Search {
  readonly model: Model;
  readonly name: string;
  readonly tasks: readonly Task[];
  readonly sandbox: Sandbox;
  readonly decoding: Decoding;
  readonly given: TuneArguments;
  readonly settings: TuneFile["settings"];
  readonly kept: TuneState | undefined;
  /** of this search; grows */
  readonly passes: Record<string, readonly number[]>;
  readonly terminal: Terminal;
}

function search({
  model,
  name,
  tasks,
  sandbox,
  decoding,
  given,
  settings,
  kept,
  passes,
  terminal,
}: Search): Promise<TuneResult> {
  const { share, low, high, step, seed, out, batch } = given;
  const onNote = notesOf(terminal);
  const told = new Set<string>();
  const searching = terminal.withBar((bar) =>
    tuneStrength({
      tasks: tasks.length,
      share,
      low,
      high,
      step,
      seed,
      state: kept,
      signal: terminal.signal,
      onScore: (state) => keep(out, { settings, state, passes }),
      score: async (strength, indices, signal) => {
        const measured = await measure({
          model,
          modelName: name,
          tasks: indices.map((index) => tasks[index]!),
          sandbox,
          decoding: { ...decoding, strength, byNeglect: decoding.byNeglect && strength !== 1 },
          batchSize: batch,
          signal,
          onNote,
          onProgress: progressShower({ terminal, bar, rows: batch, label: `strength ${strength}` }),
        });
        for (const { id, reason } of measured.evaluation.notJudged) {
          if (told.has(id)) continue;
          told.add(id);
          terminal.note(`${id} is not judged, and counts as not passed at every strength: it ${reason}`);
        }
        const isPassed = passesOf(measured);
        const passed = indices.filter((_, i) => isPassed[i]);
        passes[keyOf(strength, indices)] = passed;
        return passed.length;
      },
    }),
  );
  return searching.catch((error: unknown) => {
    if (terminal.signal.aborted)
      terminal.warn(`interrupted: the scores so far are in ${out}; the same command continues`);
    throw error;
  });
}

/** A search takes long: that its file cannot be written is said before it, not after the first score. */
function refuseUnwritable(path: string): void {
  try {
    const { target, kind } = replaceableFile(path, { isRegularOnly: true });
    if (kind === "file") accessSync(target, constants.W_OK);
    accessSync(dirname(target), constants.W_OK); // the new file is written there first
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(path, writeProblem(cause), { cause });
  }
}

/** The search in a file, if there is one; another search's file is refused. */
function readKept(path: string, settings: TuneFile["settings"]): TuneFile | undefined {
  if (!existsSync(path)) return undefined;
  const advice = "choose another --out file, or remove it";
  let file: unknown;
  try {
    file = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new FormatError(path, `is not JSON: ${advice}`, { cause });
  }
  if (!isTuneFile(file)) throw new FormatError(path, `holds no search of kedge tune: ${advice}`);
  for (const key of Object.keys({ ...settings, ...file.settings })) {
    const wanted = settings[key];
    const [own, other] = [wanted, file.settings[key]].map((value) => JSON.stringify(value) ?? "left out");
    if (own === other) continue;
    const both = Array.isArray(wanted) ? `other ${key}` : `${key} ${other}, not ${own}`;
    throw new FormatError(path, `holds a search with ${both}: ${advice}`);
  }
  return file;
}

function isTuneFile(file: unknown): file is TuneFile {
  if (typeof file !== "object" || file === null || !("settings" in file) || !("state" in file)) return false;
  const { settings, state, passes } = file as {
    readonly settings: unknown;
    readonly state: Partial<TuneState> | null;
    readonly passes?: unknown;
  };
  return (
    isPasses(passes) &&
    typeof settings === "object" &&
    settings !== null &&
    isScores(state?.scores) &&
    isScores(state?.held) &&
    typeof state?.settings === "object"
  );
}

function isPasses(passes: unknown): boolean {
  if (passes === undefined) return true;
  if (typeof passes !== "object" || passes === null) return false;
  return Object.values(passes).every((tasks) => Array.isArray(tasks) && tasks.every(Number.isSafeInteger));
}

function isScores(scores: unknown): boolean {
  return (
    Array.isArray(scores) &&
    scores.every((score: Partial<TuneState["scores"][number]> | null) => {
      return typeof score?.strength === "number" && typeof score.passed === "number";
    })
  );
}

function keep(path: string, file: TuneFile): void {
  writeWholeFile(path, `${JSON.stringify(file, null, 2)}\n`, { isRegularOnly: true });
}

/** Whether each of these tasks passed at a strength; undefined where a score is of an earlier version's file. */
function outcomesOf(strength: number, tasks: readonly number[], passes: Passes): readonly boolean[] | undefined {
  const passed = passes[keyOf(strength, tasks)];
  return passed && tasks.map((task) => passed.includes(task));
}

/** The tuned strength against the plain model, task by task; null where they are the same, or not known. */
function pairedTest({ strength, heldTasks }: TuneResult, passes: Passes): PairedTest | null {
  const [plain, tuned] = [1, strength].map((one) => outcomesOf(one, heldTasks, passes));
  return strength === 1 || !plain || !tuned ? null : mcNemar(plain, tuned);
}

function verdictOf({ strength, curve, tuningTasks, heldTasks }: TuneResult, passes: Passes): TuningVerdict | null {
  const [plain, chosen] = [1, strength].map((one) => outcomesOf(one, heldTasks, passes));
  if (!plain || !chosen) return null;
  const points = curve.map((point) => [point.strength, outcomesOf(point.strength, tuningTasks, passes)] as const);
  const isKnown = (point: (typeof points)[number]): point is readonly [number, readonly boolean[]] => !!point[1];
  return tuningVerdict({ chosen: strength, tuning: new Map(points.filter(isKnown)), held: { plain, chosen } });
}

function print(terminal: Terminal, result: TuneOutcome, path: string): void {
  const { curve, strength, tuned, held, heldPlain, paired, verdict } = result;
  const best = Math.max(...curve.map(({ rate }) => rate), 1e-9);
  const rows = curve.map((point) => [
    point.strength.toFixed(3),
    `${point.passed} of ${tuned.tasks}`,
    "█".repeat(Math.round((point.rate / best) * 40)),
    point.strength === strength ? (verdict?.helps ? "best" : "tried") : "",
  ]);
  terminal.print(...format.table([["strength", "passed", "", ""], ...rows], [0, 1]));
  terminal.print(
    "",
    `on the tasks not used for tuning: the plain model ${rateText(heldPlain)}${strength === 1 ? "" : `; strength ${strength} ${rateText(held)}`}`,
  );
  if (paired) {
    const { onlyFirst, onlySecond, pValue } = paired;
    terminal.print(`${onlySecond} gained, ${onlyFirst} lost (McNemar, exact: ${pText(pValue)})`);
  }
  terminal.print(
    verdict?.sentence ?? "not shown to help: the file is of an earlier version, which kept no single outcomes",
  );
  terminal.note(`kept in ${path}`);
}

function rateText({ passed, tasks, rate, interval }: TuneResult["held"]): string {
  return `${passed} of ${tasks} (${rate.toFixed(3)}; 95 %: ${format.interval(interval)})`;
}

// kedge tune: finds the anchoring strength on a share of the tasks, and scores it on the rest. What has been scored is kept in
// a file as it comes, so that an interrupted search goes on where it stopped.

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import { FormatError, tuneStrength, type Model, type TuneResult, type TuneState } from "kedge";
import { addDevice, addJson, number, type DeviceArguments } from "./arguments.ts";
import { addTaskDecoding } from "./eval.ts";
import { decodingSettings, PLAIN, type AnchorGrouping, type Decoding } from "./evaluation/completer.ts";
import { measure } from "./evaluation/measure.ts";
import { openSandbox, type Sandbox } from "./evaluation/sandbox.ts";
import type { Task } from "./evaluation/task.ts";
import { readTasks } from "./evaluation/tasks.ts";
import * as format from "./format.ts";
import { loadOptions, withModel } from "./loading.ts";
import type { Terminal } from "./terminal.ts";
import type { Verb } from "./verb.ts";

interface TuneArguments extends DeviceArguments {
  readonly groups: AnchorGrouping;
  readonly byNeglect?: boolean;
  readonly maxTokens: number;
  readonly batch: number;
  readonly limit?: number;
  readonly seed: number;
  readonly share?: number;
  readonly low?: number;
  readonly high?: number;
  readonly step?: number;
  readonly out: string;
  readonly json?: boolean;
}

/** What the file holds: the settings that the scores belong to, the search, and its result once there is one. */
interface TuneFile {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly state: TuneState;
  readonly result?: Omit<TuneResult, "state">;
}

/** `kedge tune MODEL TASKS` */
export const tune: Verb = {
  name: "tune",
  configure(command: Command) {
    const real = (name: string) => number(name, "a number", () => true);
    command
      .summary("find the anchoring strength on a set of tasks")
      .description(
        "Searches the strength of Selective Prompt Anchoring that passes most of a share of the tasks (coarsely, then finely), prints the curve, and scores the best on the rest. Goes on with the --out file of an interrupted search.",
      )
      .argument("<model>", "a folder, its http(s) address, or owner/name on the Hugging Face Hub")
      .argument("<tasks>", "a .jsonl or .jsonl.gz file")
      .option(
        "--share <s>",
        "share of the tasks to tune on (default: 0.18)",
        number("--share", "a number above 0 and below 1", (value) => value > 0 && value < 1),
      )
      .option("--low <w>", "least strength (default: 1)", real("--low"))
      .option("--high <w>", "largest strength (default: 1.8)", real("--high"))
      .option("--step <w>", "of the coarse search (default: 0.1)", real("--step"))
      .option("-o, --out <file>", "where the search and its result are kept", "kedge-tune.json");
    addJson(addDevice(addTaskDecoding(command)));
    command.options.find(({ long }) => long === "--seed")!.description = "which tasks to tune on";
  },
  async execute(terminal, [source, path], given: TuneArguments) {
    const all = await readTasks(path!);
    const tasks = given.limit === undefined ? all : all.slice(0, given.limit);
    const sandbox = openSandbox({ workers: 2 });
    const searched = withModel(source!, loadOptions(given), terminal, async ({ model, name }) => {
      const decoding: Decoding = {
        ...PLAIN,
        grouping: given.groups,
        byNeglect: given.byNeglect === true,
        maxTokens: given.maxTokens,
      };
      const settings = {
        model: name,
        device: model.device.name,
        ...decodingSettings(decoding),
        tasks: tasks.map(({ id }) => id),
      };
      const kept = readKept(given.out, settings);
      if (kept)
        terminal.note(
          `going on with ${given.out}: ${format.plural(kept.scores.length + kept.held.length, "score")} so far`,
        );
      const result = await search({ model, name, tasks, sandbox, decoding, given, settings, kept, terminal });
      const { state: _state, ...rest } = result;
      if (given.json) terminal.printJson(rest);
      else print(terminal, result, given.out);
      return 0;
    });
    return searched.finally(() => sandbox.dispose());
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
  terminal,
}: Search): Promise<TuneResult> {
  const { share, low, high, step, seed, out, batch } = given;
  return terminal.withBar(async (bar) => {
    const result = await tuneStrength({
      tasks: tasks.length,
      share,
      low,
      high,
      step,
      seed,
      state: kept,
      signal: terminal.signal,
      onScore: (state) => keep(out, { settings, state }),
      score: async (strength, indices, signal) => {
        const { evaluation } = await measure({
          model,
          modelName: name,
          tasks: indices.map((index) => tasks[index]!),
          sandbox,
          decoding: { ...decoding, strength, byNeglect: decoding.byNeglect && strength !== 1 },
          batchSize: batch,
          signal,
          onProgress: ({ done, total, passed }) =>
            bar.update(done, total, `strength ${strength}: ${passed} of ${done} passed`),
        });
        return evaluation.results.filter(({ samples }) => samples[0]!.outcome.passed).length;
      },
    });
    const { state, ...rest } = result;
    keep(out, { settings, state, result: rest });
    return result;
  });
}

/** The search in a file, if there is one; another search's file is refused. */
function readKept(path: string, settings: TuneFile["settings"]): TuneState | undefined {
  if (!existsSync(path)) return undefined;
  let file: TuneFile;
  try {
    file = JSON.parse(readFileSync(path, "utf8")) as TuneFile;
  } catch (cause) {
    throw new FormatError(path, "is no JSON: choose another --out file, or remove it", { cause });
  }
  const differs = Object.keys(settings).find(
    (key) => JSON.stringify(file.settings?.[key]) !== JSON.stringify(settings[key]),
  );
  if (differs === undefined) return file.state;
  throw new FormatError(path, `holds a search with another "${differs}": choose another --out file, or remove it`);
}

/** Writes the file whole or not at all. */
function keep(path: string, file: TuneFile): void {
  const temporary = `${path}.part`;
  writeFileSync(temporary, `${JSON.stringify(file, null, 2)}\n`);
  renameSync(temporary, path);
}

function print(terminal: Terminal, result: TuneResult, path: string): void {
  const { curve, strength, tuned, held, heldPlain, gain, gainError } = result;
  const best = Math.max(...curve.map(({ rate }) => rate), 1e-9);
  const rows = curve.map((point) => [
    point.strength.toFixed(3),
    `${point.passed} of ${tuned.tasks}`,
    "█".repeat(Math.round((point.rate / best) * 40)),
    point.strength === strength ? "best" : "",
  ]);
  terminal.print(...format.table([["strength", "passed", "", ""], ...rows], [0, 1]));
  const rate = ({ passed, tasks }: { passed: number; tasks: number }) =>
    `${passed} of ${tasks} (${(passed / tasks).toFixed(3)})`;
  terminal.print(
    "",
    `best strength: ${strength}`,
    `on the tasks not used for tuning: ${rate(held)}; the plain model: ${rate(heldPlain)}`,
    `gain: ${gain >= 0 ? "+" : ""}${gain.toFixed(3)} ± ${gainError.toFixed(3)} (standard error)`,
  );
  terminal.note(`kept in ${path}`);
}

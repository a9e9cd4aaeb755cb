// The options of decoding a set of tasks, which `kedge eval` and `kedge tune` share.

import type { Command } from "commander";
import { UnsupportedError, type Model } from "kedge";
import { UsageError, whole } from "./arguments.ts";
import { PLAIN } from "./evaluation/completer.ts";
import { requirePython } from "./evaluation/python/find-pyodide.ts";
import { openSandbox, type Sandbox } from "./evaluation/sandbox.ts";
import type { AnchorGrouping } from "./evaluation/task-prompt.ts";
import { askedTask, type Task } from "./evaluation/task.ts";
import { plural } from "./format.ts";
import type { Terminal } from "./terminal.ts";

/** The parsed options. */
export interface TaskDecodingArguments {
  readonly groups: AnchorGrouping;
  readonly byNeglect?: boolean;
  /** the model is asked through its chat template */
  readonly chat?: boolean;
  readonly maxTokens: number;
  readonly batch: number;
  readonly limit?: number;
  readonly seed: number;
  /** the interpreter that runs programs in Python in place of the sandbox */
  readonly python?: string;
}

/** Adds the options; `seed` says what the seed is for. */
export function addTaskDecoding(command: Command, seed: string): Command {
  return command
    .option(
      "--groups <kind>",
      "anchors as one group, or one for each clause or sentence: one, clauses, sentences",
      grouping,
      "one",
    )
    .option("--by-neglect", "let a group's strength grow as its attention falls below its fair share")
    .option("--chat", "ask through the model's chat template, and take the code from its answer")
    .option("-n, --max-tokens <n>", "most tokens of a completion", whole("--max-tokens", 1), PLAIN.maxTokens)
    .option("--batch <n>", "tasks decoded together", whole("--batch", 1, 512), 16)
    .option("--limit <n>", "only the first n tasks", whole("--limit", 1))
    .option("--seed <n>", seed, whole("--seed", 0), 0)
    .option("--python <path>", "run programs in Python with this interpreter of yours, which is no sandbox");
}

/**
 * Opens what runs the tasks' programs, and warns of an interpreter that contains nothing.
 *
 * @throws UnsupportedError if there are tasks in Python, and neither an interpreter was named nor pyodide is installed
 */
export function openTaskSandbox(
  tasks: readonly Task[],
  { python }: Pick<TaskDecodingArguments, "python">,
  terminal: Terminal,
): Sandbox {
  if (python === undefined) requirePython(tasks);
  else if (tasks.some(({ language }) => language === "python")) {
    terminal.warn(`note: ${python} runs what the model writes, and is no sandbox: programs can do what you can`);
  }
  return openSandbox({ workers: 2, python });
}

/** The tasks in the form in which they are given to the model: `name` is what messages call it. */
export function asGiven(
  tasks: readonly Task[],
  { chat = false }: Pick<TaskDecodingArguments, "chat">,
  { tokenizer }: Pick<Model, "tokenizer">,
  name: string,
): readonly Task[] {
  if (!chat) return tasks;
  if (tokenizer?.chatTemplate === undefined) {
    throw new UnsupportedError(
      `${name}: has no chat template, so it was not made to answer questions; leave --chat out`,
    );
  }
  return tasks.map(askedTask);
}

/** Says how many of the tasks have nothing to hold on to, before they are decoded with anchoring. */
export function noteUnanchored(tasks: readonly Task[], terminal: Terminal): void {
  const count = tasks.filter(({ anchors }) => anchors.length === 0).length;
  if (count > 0) terminal.warn(`note: ${count} of ${plural(tasks.length, "task")} name no anchors: decoded plainly`);
}

function grouping(text: string): AnchorGrouping {
  if (text === "one" || text === "clauses" || text === "sentences") return text;
  throw new UsageError(`--groups is "${text}": wanted one, clauses or sentences`);
}

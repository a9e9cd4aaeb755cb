// A task: a prompt that a function completes, how a completion of it ends, and how the finished function is checked.
//
// All ranges count UTF-16 units, as JavaScript's strings do, and are half-open. A completion is the text after the prompt,
// up to and with the function's last line.

import { programOfAnswer } from "./answer.ts";
import type { Language } from "./language.ts";
import { completionEnd, type AnswerRule, type StopRule } from "./stop-rule.ts";
import type { TextRange } from "./text-range.ts";

export { completionEnd, type Language, type StopRule, type TextRange };

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** One call of the entry point with one argument, and what it must return. */
export interface Case {
  readonly input: Json;
  readonly expected: Json;
}

/**
 * How a finished program is judged: by calling its entry point (values are compared outside the program), or by a script that runs
 * after it. In JavaScript the script calls `console.assert`, or throws to fail. In Python it is run in the program's own module, and
 * raises to fail.
 */
export type Check =
  | { readonly kind: "cases"; readonly entryPoint: string; readonly cases: readonly Case[] }
  | { readonly kind: "script"; readonly source: string };

/** Something to run in the sandbox. */
export interface Program {
  readonly language: Language;
  readonly source: string;
  readonly check: Check;
  /** the function that the check calls, where that is one */
  readonly entryPoint?: string | undefined;
  /** a program that passes: as many assertions of a script as it reaches must be reached */
  readonly reference?: string | undefined;
}

/** The formats of task files. HumanEval+ has the fields of HumanEval, and is read as it is. */
export type TaskFormat = "kedge" | "humaneval-x" | "mbxp" | "humaneval" | "mbpp" | "mbpp-plus";

/** A task, whichever format it came from. */
export interface Task {
  readonly id: string;
  readonly format: TaskFormat;
  readonly language: Language;
  /** what is completed; it begins the program too */
  readonly prompt: string;
  /** the parts of the prompt that say what is wanted, in order */
  readonly anchors: readonly TextRange[];
  /** the function that is wanted */
  readonly entryPoint: string;
  /** "" where the set has none */
  readonly canonicalSolution: string;
  readonly stop: StopRule;
  readonly check: Check;
  /** the examples that the prompt itself gives, as a check; none where it gives none that can be run */
  readonly examples?: Check | undefined;
}

/** A task that a chat model is asked, and answers in its own words. */
export interface AskedTask extends Task {
  readonly stop: AnswerRule;
}

/** The task as a question to a chat model; a completion of it is an answer, of which the code is taken. */
export function askedTask(task: Task): AskedTask {
  const { language, entryPoint, stop } = task;
  const hasSignature = typeof stop !== "object" || stop.kind !== "python-program";
  return { ...task, stop: { kind: "answer", language, entryPoint, hasSignature } };
}

/** Whether a task is a question to a chat model. */
export function isAsked(task: Task): task is AskedTask {
  return typeof task.stop === "object" && task.stop.kind === "answer";
}

/** The completion within generated text: all of it where its last line never came. */
export function cutCompletion(task: Task, text: string): string {
  return text.slice(0, completionEnd(task.stop, text, true));
}

/** The program that a completion of a task makes, to be judged by the task's check or by another, such as its examples. */
export function programOf(task: Task, completion: string, check: Check = task.check): Program {
  const { language, prompt, canonicalSolution, entryPoint } = task;
  const source = isAsked(task) ? programOfAnswer({ ...task.stop, prompt }, completion) : prompt + completion;
  return check.kind === "script" && canonicalSolution !== ""
    ? { language, source, check, entryPoint, reference: prompt + canonicalSolution }
    : { language, source, check, entryPoint };
}

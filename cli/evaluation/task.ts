// A task: a prompt that a function completes, how a completion of it ends, and how the finished function is checked.
//
// All ranges count UTF-16 units, as JavaScript's strings do, and are half-open. A completion is the text after the prompt,
// up to and with the function's last line.

import { completionEnd, type StopRule } from "./stop-rule.ts";

export { completionEnd, type StopRule };

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A part of the prompt: begin <= i < end, in UTF-16 units. */
export interface TextRange {
  readonly begin: number;
  readonly end: number;
}

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

/** What a program is written in. */
export type Language = "javascript" | "python";

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

/** The completion within generated text: all of it where its last line never came. */
export function cutCompletion(task: Task, text: string): string {
  return text.slice(0, completionEnd(task.stop, text, true));
}

/** The program that a completion of a task makes, to be judged by the task's check or by another, such as its examples. */
export function programOf(task: Task, completion: string, check: Check = task.check): Program {
  const { language, prompt, canonicalSolution, entryPoint } = task;
  const source = prompt + completion;
  return check.kind === "script" && canonicalSolution !== ""
    ? { language, source, check, entryPoint, reference: prompt + canonicalSolution }
    : { language, source, check, entryPoint };
}

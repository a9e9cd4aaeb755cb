// A task: a prompt that ends inside a function, how a completion of it ends, and how the finished function is checked.
//
// All ranges count UTF-16 units, as JavaScript's strings do, and are half-open. A completion is the text after the prompt,
// up to and with the line that closes the function.

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
 * How a finished program is judged: by calling its entry point (values are compared outside the program), or by a script
 * that runs after it and calls `console.assert`.
 */
export type Check =
  | { readonly kind: "cases"; readonly entryPoint: string; readonly cases: readonly Case[] }
  | { readonly kind: "script"; readonly source: string };

/** Something to run in the sandbox. */
export interface Program {
  readonly source: string;
  readonly check: Check;
  /** a program that passes: as many assertions of a script as it reaches must be reached */
  readonly reference?: string | undefined;
}

/**
 * Which line is a completion's last: one that is exactly `}`, or one that begins with it, so that `};` and `} // end` count.
 * Lines are those of the completion alone: prompts end with a line break.
 */
export type StopRule = "line-is-brace" | "line-begins-with-brace";

/** A task, whichever format it came from. */
export interface Task {
  readonly id: string;
  readonly format: "kedge" | "humaneval-x";
  readonly prompt: string;
  /** the parts of the prompt that say what is wanted, in order */
  readonly anchors: readonly TextRange[];
  /** the function that the prompt begins */
  readonly entryPoint: string;
  readonly canonicalSolution: string;
  readonly stop: StopRule;
  readonly check: Check;
}

/**
 * Where a completion ends: the index after the line break of its last line, or undefined while that line has not come.
 *
 * @param isWhole no more text follows, so that a last line without a line break is a line too
 */
export function completionEnd(stop: StopRule, text: string, isWhole = false): number | undefined {
  for (let begin = 0; begin < text.length;) {
    const lineBreak = text.indexOf("\n", begin);
    if (lineBreak < 0 && !isWhole) return undefined;
    const end = lineBreak < 0 ? text.length : lineBreak;
    const isLast =
      stop === "line-is-brace" ? end === begin + 1 && text[begin] === "}" : text[begin] === "}" && end > begin;
    if (isLast) return lineBreak < 0 ? end : end + 1;
    if (lineBreak < 0) return undefined;
    begin = end + 1;
  }
  return undefined;
}

/** The completion within generated text: all of it where its last line never came. */
export function cutCompletion(task: Task, text: string): string {
  return text.slice(0, completionEnd(task.stop, text, true));
}

/** The program that a completion of a task makes. */
export function programOf(task: Task, completion: string): Program {
  const reference = task.check.kind === "script" ? task.prompt + task.canonicalSolution : undefined;
  return { source: task.prompt + completion, check: task.check, ...(reference === undefined ? {} : { reference }) };
}

// What stops a template that never ends or explodes. Rendering is synchronous, so that one budget at a time is in use: every
// step of a template and every function that does more work than its arguments are many spends from it.

import { TemplateError } from "./template-error.ts";

/** Stops files that are no templates; the longest published one has about 100,000 characters. */
export const MAX_TEMPLATE_LENGTH = 1 << 20;
/** Stops loops in loops: a chat of a thousand messages takes about 100,000 steps. */
export const MAX_STEPS = 1_000_000;
/** Stops what is slow in few steps. A usual chat takes less than 10 ms. */
export const MAX_MILLISECONDS = 3000;
/** Stops texts that double in a loop, and widths of billions. In UTF-16 units. */
export const MAX_TEXT_LENGTH = 1 << 22;
/** Stops lists that double in a loop. */
export const MAX_ITEMS = 1 << 21;
/** Stops expressions and values that are nested so deep that the stack would run over. */
export const MAX_NESTING = 100;
/** Stops macros and loops that call themselves without end; Python stops at about the same depth. */
export const MAX_CALL_DEPTH = 150;
/** Stops powers of powers. Longer integers than 4300 digits are not printed by Python either. */
export const MAX_INTEGER_BITS = 1 << 16;
/** The most numbers in a `range`, as in jinja2's sandbox. */
export const MAX_RANGE = 100_000;
/** Stops searches whose worst case is the product of two lengths. */
const MAX_SEARCH = 1 << 30;
/** Characters that are copied or searched in the time of a step, roughly. */
const CHARACTERS_PER_STEP = 256;
/** Steps between two looks at the clock. */
const STEPS_PER_LOOK = 4096;

interface Budget {
  steps: number;
  nextLook: number;
  deadline: number;
  depth: number;
  /** Of the part of the template that is being worked on. */
  line: number;
}

const start = (): Budget => ({ steps: 0, nextLook: STEPS_PER_LOOK, deadline: Infinity, depth: 0, line: 1 });
let budget = start();

/** Runs a template's work with a budget of its own; an error of the template gets the line that was being worked on. */
export function withBudget<Result>(work: () => Result): Result {
  const outer = budget;
  budget = start();
  budget.deadline = performance.now() + MAX_MILLISECONDS;
  try {
    return work();
  } catch (error) {
    if (error instanceof TemplateError) {
      error.line ??= budget.line;
      throw error;
    }
    // Engines have no common error for a stack that runs over: RangeError in V8 and JavaScriptCore, InternalError in Firefox.
    if (error instanceof Error && /call stack|too much recursion/i.test(error.message)) {
      throw new TemplateError("it is nested too deep", { line: budget.line });
    }
    throw error;
  } finally {
    budget = outer;
  }
}

/** Says which line is being worked on. */
export function atLine(line: number): void {
  budget.line = line;
}

export function currentLine(): number {
  return budget.line;
}

/** Spends steps; throws {@link TemplateError} when all steps or all time are spent. */
export function spend(steps = 1): void {
  budget.steps += steps;
  if (budget.steps < budget.nextLook) return;
  budget.nextLook = budget.steps + STEPS_PER_LOOK;
  if (budget.steps > MAX_STEPS) {
    throw new TemplateError(`it does not end: it was stopped after ${MAX_STEPS} steps`);
  }
  if (performance.now() > budget.deadline) {
    throw new TemplateError(`it does not end: it was stopped after ${MAX_MILLISECONDS} ms`);
  }
}

/** Spends what a text of this length costs; throws {@link TemplateError} for one that is too long. */
export function spendText(length: number): void {
  if (!(length <= MAX_TEXT_LENGTH)) {
    throw new TemplateError(`it makes a text of ${length} characters; at most ${MAX_TEXT_LENGTH} are allowed`);
  }
  spend(1 + length / CHARACTERS_PER_STEP);
}

/** Spends what work on each character of a text costs, where that is much. */
export function spendCharacters(length: number): void {
  spend(1 + length / 4);
}

/** Spends what a list of this length costs; throws {@link TemplateError} for one that is too long. */
export function spendItems(count: number): void {
  if (!(count <= MAX_ITEMS)) {
    throw new TemplateError(`it makes a list of ${count} items; at most ${MAX_ITEMS} are allowed`);
  }
  spend(1 + count / 16);
}

/** Spends what looking for a text in another costs in the worst case. */
export function spendSearch(length: number, needleLength: number): void {
  const product = length * needleLength;
  if (needleLength > 64 && product > MAX_SEARCH) {
    throw new TemplateError(
      `it looks for a text of ${needleLength} characters in one of ${length}, which takes too long`,
    );
  }
  spendText(length);
}

/** Runs what may call itself one level deeper; throws {@link TemplateError} when that is too deep. */
export function deeper<Result>(work: () => Result): Result {
  if (budget.depth >= MAX_CALL_DEPTH) {
    throw new TemplateError(`its macros and loops call themselves more than ${MAX_CALL_DEPTH} levels deep`);
  }
  budget.depth++;
  try {
    return work();
  } finally {
    budget.depth--;
  }
}

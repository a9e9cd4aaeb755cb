// Errors of stdout in a bench: a report that cannot be written ends with exit code 1, so that minutes of measurement are not lost unnoticed.

import { visibleText, writeProblem } from "kedge/loaders";

/**
 * Ends the process with exit code 1 when stdout cannot be written: without a word if its reader left, else with a sentence. `console.log`
 * would go on without a sign.
 */
export function guardOutput(name: string): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") process.stderr.write(`${name}: stdout ${writeProblem(error)}\n`);
    process.exit(1);
  });
  process.stderr.on("error", () => undefined);
}

/** What a failure says, on one line. */
export function sentenceOf(error: unknown): string {
  return visibleText(error instanceof Error ? error.message : String(error));
}

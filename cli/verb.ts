// A verb of the command line: its name, its options and its action. cli/main.ts knows nothing else of verbs.

import type { Command } from "commander";
import type { Terminal } from "./terminal.ts";

/** One verb. */
export interface Verb {
  readonly name: string;
  /** Says its description, arguments and options. */
  configure(command: Command): void;
  /**
   * Does it and resolves with the exit code: 0, or 1 where what was checked did not hold. Errors are for cli/main.ts.
   * `given` is what commander makes of the options that `configure` declared.
   */
  execute(terminal: Terminal, args: readonly (string | undefined)[], given: never): Promise<number>;
}

// How Node is told to close what it can for the process in which Python runs.

/** Of the heap of JavaScript, which holds the files of the interpreter and no values of programs. */
const HEAP_MB = 512;
/** The stack in KiB: below the 8 MiB that systems give a process, above the 1 MiB that V8 takes. */
const STACK_KB = 3900;

/**
 * Flags for the Node that runs this.
 *
 * @param readable the files and folders that the process reads
 * @param allowed the flags that this Node knows
 */
export function nodeFlags(
  readable: readonly string[],
  allowed: ReadonlySet<string> = process.allowedNodeEnvironmentFlags,
): string[] {
  // The permission model: Node 20 has it under its experimental name, Node 22.13 and later under its own.
  const permission = ["--permission", "--experimental-permission"].find((flag) => allowed.has(flag));
  const optional = [
    "--no-addons",
    "--no-experimental-websocket",
    "--no-experimental-fetch",
    "--no-experimental-repl-await",
  ];
  return [
    ...(permission === undefined ? [] : [permission, ...readable.map((path) => `--allow-fs-read=${path}`)]),
    ...optional.filter((flag) => allowed.has(flag) || allowed.has(flag.replace("--no-", "--"))),
    "--no-warnings",
    "--disallow-code-generation-from-strings",
    `--max-old-space-size=${HEAP_MB}`,
    `--stack-size=${STACK_KB}`,
  ];
}

// The command `kedge` in a test: in this process with streams that are kept, or as a process of its own from dist/.

import { spawn } from "node:child_process";
import { PassThrough, Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { main } from "../../cli/main.ts";

/** What became of a command. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run it. */
export interface Surroundings {
  /** what is piped in; by default nothing */
  readonly stdin?: string;
  /** stdin, stdout and stderr are a terminal */
  readonly isTerminal?: boolean;
  readonly signal?: AbortSignal;
  readonly env?: Readonly<Record<string, string>>;
  /** told of everything that goes to stdout, as it comes */
  readonly onOutput?: (text: string) => void;
}

/** Runs a command line in this process. */
export async function kedge(args: readonly string[], surroundings: Surroundings = {}): Promise<Outcome> {
  const { stdin = "", isTerminal = false, signal = new AbortController().signal, env = {} } = surroundings;
  const marks = isTerminal ? { isTTY: true, columns: 100 } : {};
  const kept = (onText?: (text: string) => void) => {
    const chunks: string[] = [];
    const stream = new PassThrough();
    stream.on("data", (chunk: Buffer) => {
      chunks.push(chunk.toString());
      onText?.(chunk.toString());
    });
    return { stream: Object.assign(stream, marks), text: () => chunks.join("") };
  };
  const [stdout, stderr] = [kept(surroundings.onOutput), kept()];
  const code = await main(args, {
    stdin: Object.assign(Readable.from(stdin === "" ? [] : [Buffer.from(stdin)]), marks),
    stdout: stdout.stream,
    stderr: stderr.stream,
    signal,
    env,
  });
  await new Promise((resolve) => setImmediate(resolve));
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

const built = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

/** Runs dist/cli.js as users do. `onOutput` may kill or close what it is given. */
export function spawned(
  args: readonly string[],
  options: {
    readonly stdin?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly onOutput?: (child: ReturnType<typeof spawn>) => void;
  } = {},
): Promise<Outcome> {
  const child = spawn(process.execPath, [built, ...args], { env: { ...process.env, ...options.env } });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (chunk: Buffer) => {
      texts[name] += chunk.toString();
      if (name === "stdout") options.onOutput?.(child);
    });
  }
  child.stdin.on("error", () => undefined); // it may have ended before it read anything
  child.stdin.end(options.stdin ?? "");
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? -1, ...texts }));
  });
}

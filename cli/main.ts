// The command `kedge`: arguments in, exit code out. Exit codes: 0 done; 1 failed, or something that was checked did not hold;
// 2 called wrongly; 129, 130 and 143 interrupted by SIGHUP, SIGINT (Ctrl-C) and SIGTERM. An error is one sentence on stderr;
// KEDGE_DEBUG=1 adds where it came from.

import { Command, CommanderError } from "commander";
import { DeviceError, FormatError, UnsupportedError } from "kedge";
import { visibleText } from "kedge/loaders";
import manifest from "../package.json" with { type: "json" };
import { UsageError } from "./arguments.ts";
import { attention } from "./attention.ts";
import { bench } from "./bench.ts";
import { chat } from "./chat.ts";
import { doctor } from "./doctor.ts";
import { estimate } from "./estimate.ts";
import { evaluateVerb } from "./eval.ts";
import { inside } from "./inside.ts";
import { inspect } from "./inspect.ts";
import { interruptedCode } from "./interruption.ts";
import { quantize } from "./quantize.ts";
import { run } from "./run.ts";
import { serve } from "./serve.ts";
import { Terminal, type Streams } from "./terminal.ts";
import { tuneKernels } from "./tune-kernels.ts";
import { tune } from "./tune.ts";
import type { Verb } from "./verb.ts";
import { verify } from "./verify.ts";

/** Every verb, in the order of the help. */
const VERBS: readonly Verb[] = [
  run,
  chat,
  serve,
  inspect,
  estimate,
  quantize,
  verify,
  attention,
  inside,
  evaluateVerb,
  tune,
  tuneKernels,
  doctor,
  bench,
];

const EXAMPLES = `
Examples:
  kedge run models/kedge-js-5m                 a JavaScript function, from a model that comes with kedge
  kedge chat HuggingFaceTB/SmolLM2-135M-Instruct
  kedge serve path/to/model                    OpenAI's API at http://127.0.0.1:8080/v1
  kedge inspect path/to/model                  what is in the files
  kedge estimate path/to/model --context 4096  memory, before anything is loaded
  kedge quantize path/to/model smaller --format int8
  kedge verify path/to/model --device webgpu   this machine against golden tensors
  kedge doctor                                 what this machine can do

kedge VERB --help lists a verb's options.`;

/** Runs one command line (without `node` and the script's name) and resolves with the exit code. Never rejects. */
export async function main(args: readonly string[], streams: Streams): Promise<number> {
  const terminal = new Terminal(streams);
  let exitCode = 0;
  const program = makeProgram(terminal, (code) => (exitCode = code));
  try {
    if (args.length === 0) {
      terminal.stderr.write(`${program.helpInformation()}${EXAMPLES}\n`);
      return 2;
    }
    await program.parseAsync([...args], { from: "user" });
    return streams.signal.aborted ? interruptedCode(streams.signal) : exitCode;
  } catch (error) {
    if (streams.signal.aborted) return interruptedCode(streams.signal);
    return report(error, terminal);
  }
}

function makeProgram(terminal: Terminal, onExit: (code: number) => void): Command {
  const program = new Command("kedge")
    .description("A transformer runtime: WebGPU and WebAssembly SIMD, everything inside attention in view.")
    .version(manifest.version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .usage("VERB [options]")
    .addHelpText("after", EXAMPLES)
    .configureHelp({ showGlobalOptions: false, subcommandTerm: (command) => `${command.name()} ${usageOf(command)}` })
    .configureOutput({
      writeOut: (text) => terminal.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
      outputError: () => undefined, // `report` says it
      getOutHelpWidth: () => Math.min(terminal.stdout.columns ?? 100, 120),
      getErrHelpWidth: () => Math.min(terminal.stderr.columns ?? 100, 120),
    })
    .helpCommand(false)
    .exitOverride();
  for (const verb of VERBS) {
    const command = program.command(verb.name);
    verb.configure(command);
    command.action(async () => {
      onExit(await verb.execute(terminal, command.args, command.opts() as never));
    });
  }
  return program;
}

function usageOf(command: Command): string {
  return command.registeredArguments
    .map((argument) => (argument.required ? argument.name().toUpperCase() : `[${argument.name().toUpperCase()}]`))
    .join(" ");
}

/** Says what went wrong, in one sentence; returns the exit code. */
function report(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    terminal.fail(fromCommander(error));
    return 2;
  }
  const message = error instanceof Error ? error.message : String(error);
  const isKnown =
    error instanceof UsageError ||
    error instanceof FormatError ||
    error instanceof UnsupportedError ||
    error instanceof DeviceError ||
    error instanceof RangeError ||
    (error instanceof Error && error.name === "ShapeError") ||
    isOfMachine(error);
  terminal.fail(isKnown ? message : `${message} (unexpected: KEDGE_DEBUG=1 shows where; please report it)`);
  if (terminal.env["KEDGE_DEBUG"] === "1" && error instanceof Error) {
    terminal.stderr.write(
      traceOf(error)
        .split("\n")
        .map((line) => `${visibleText(line)}\n`)
        .join(""),
    );
  }
  return error instanceof UsageError ? 2 : 1;
}

/** What a machine says that has no room, no right, or no free address: it is no fault of kedge's. */
const OF_MACHINE: ReadonlySet<unknown> = new Set(
  "ENOSPC EDQUOT EFBIG EROFS EIO EACCES EPERM EMFILE ENFILE EADDRINUSE EADDRNOTAVAIL ENOTFOUND".split(" "),
);

function isOfMachine(error: unknown): boolean {
  return error instanceof Error && "code" in error && OF_MACHINE.has(error.code);
}

function traceOf(error: Error): string {
  const { cause, stack } = error;
  return cause instanceof Error ? `${stack}\ncaused by: ${traceOf(cause)}` : `${stack}`;
}

/** Commander's message as a sentence like ours. */
function fromCommander({ message }: CommanderError): string {
  const [first = "", hint] = message.replace(/^error: /, "").split("\n");
  const guess = /Did you mean (.*)\?/.exec(hint ?? "")?.[1];
  return `${first.replace(/\. /g, ": ").replace(/\.$/, "")}${guess ? `; did you mean ${guess}?` : ""} (see kedge --help)`;
}

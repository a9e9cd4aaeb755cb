// Runs a command with this process's streams and signals, and ends the process with its exit code.
//
// Ctrl-C (SIGINT), SIGTERM and SIGHUP end what is going on in an orderly way; a second one at once. A reader of stdout that leaves
// (`kedge … | head`) ends the command without a word and with exit code 1, as other tools end by SIGPIPE; stdout that cannot be
// written for another reason, a full disk, ends it with a sentence and exit code 1. Messages that stderr does not take are lost.

import { setMaxListeners } from "node:events";
import { fstatSync, writeFileSync } from "node:fs";
import { Writable } from "node:stream";
import { writeProblem } from "kedge/loaders";
import { Interruption } from "./interruption.ts";
import type { Output, Streams } from "./terminal.ts";

/** Signals that end a command, and the exit codes that shells give to processes which they end. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
/** How long work may go on when nobody reads its output any more. */
const PATIENCE_MILLISECONDS = 1000;

/** Runs a command; the process ends with it. `name` begins the sentence about stdout that cannot be written. */
export async function runAsProcess(name: string, work: (streams: Streams) => Promise<number>): Promise<void> {
  const interruption = new AbortController();
  setMaxListeners(0, interruption.signal); // each row of a batch listens
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (interruption.signal.aborted) process.exit(exitCode);
      interruption.abort(new Interruption(`interrupted by ${signal}`, exitCode));
    });
  }
  let isBroken = false;
  const stdout = outputOf(process.stdout);
  const refuse = (error: NodeJS.ErrnoException): void => {
    if (isBroken) return;
    isBroken = true;
    if (error.code !== "EPIPE") process.stderr.write(`${name}: stdout ${writeProblem(error)}\n`);
    interruption.abort(new Interruption("stdout cannot be written", 1, true));
    setTimeout(() => process.exit(1), PATIENCE_MILLISECONDS).unref();
  };
  stdout.on("error", refuse);
  process.stderr.on("error", () => undefined);
  const { stdin, stderr, env } = process;
  const exitCode = await work({ stdin, stdout, stderr, signal: interruption.signal, env });
  // All output is flushed before the process ends; a worker or an open stdin does not keep it from ending.
  stdout.write("", (error) => {
    if (error) refuse(error);
    process.stderr.write("", () => process.exit(isBroken ? 1 : exitCode));
  });
}

/**
 * A stream as it is, or one that takes its place where it is a file or a device: Node's own then drops what a full disk does not take of
 * a write, without an error.
 */
function outputOf(stream: typeof process.stdout): Output {
  if (stream.isTTY) return stream;
  const found = fstatSync(stream.fd);
  if (!found.isFile() && !found.isCharacterDevice()) return stream;
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      try {
        writeFileSync(stream.fd, chunk);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  });
}

#!/usr/bin/env node
// Runs the command with this process's arguments and streams. The first Ctrl-C ends what is going on in an orderly way, the
// second at once. A reader of stdout that goes away (`kedge … | head`) ends the command quietly.

import { main } from "./main.ts";

const interruption = new AbortController();
process.on("SIGINT", () => {
  if (interruption.signal.aborted) process.exit(130);
  interruption.abort(new Error("interrupted"));
});
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}

const exitCode = await main(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interruption.signal,
  env: process.env,
});
// All output is flushed before the process ends; a worker or an open stdin does not keep it from ending.
process.stdout.write("", () => process.stderr.write("", () => process.exit(exitCode)));

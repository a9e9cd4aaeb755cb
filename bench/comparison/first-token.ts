// The time from the start of a process to its first token. The file's pages are in memory after the first, uncounted, run.

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Ready, Task } from "./contender.ts";

/** What a script prints when its first token is there, as a line of JSON. */
export interface FirstToken {
  readonly token: number;
  readonly settings: Ready["settings"];
}

/** Runs a script until its first line, then ends it; seconds from its start. */
async function clockedRun(script: string, task: Task): Promise<{ seconds: number; first: FirstToken }> {
  const begin = performance.now();
  const child = spawn(process.execPath, [script, JSON.stringify(task)], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  let printed = "";
  let seconds = 0;
  for await (const piece of child.stdout.setEncoding("utf8")) {
    printed += String(piece);
    if (!printed.includes("\n")) continue;
    seconds = (performance.now() - begin) / 1000;
    break;
  }
  child.kill();
  const [code] = (await exited) as [number | null];
  if (seconds === 0) throw new Error(`${script} ended with ${code} before its first token`);
  return { seconds, first: JSON.parse(printed.slice(0, printed.indexOf("\n"))) as FirstToken };
}

/** A contender whose rounds are processes of their own, running `script` with the task as its argument. */
export async function firstToken(script: string, task: Task) {
  const { first } = await clockedRun(script, task);
  return {
    ready: { settings: first.settings, tokens: [first.token] } satisfies Ready,
    round: async () => (await clockedRun(script, task)).seconds,
    dispose: () => Promise.resolve(),
  };
}

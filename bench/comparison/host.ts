// The process of one contender: prepares it, then works a round whenever the runner says "round". Started by build/peers.mjs.

import { pathToFileURL } from "node:url";
import type { Contender, HostReport, MakeContender, Task } from "./contender.ts";

/** What a host is to run. */
export interface Assignment {
  /** the contender's file */
  readonly file: string;
  readonly task: Task;
}

function say(report: HostReport): void {
  process.send!(report);
}

function fail(error: unknown): void {
  say({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
}

/** A contender that throws before it returns a promise rejects all the same. */
async function round(contender: Contender): Promise<number> {
  return contender.round();
}

/** Works for the runner until it says "end" or hangs up. */
export async function host({ file, task }: Assignment): Promise<void> {
  try {
    const { contender: make } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as {
      contender: MakeContender;
    };
    const contender = make();
    const end = (): void => {
      void contender.dispose().finally(() => process.exit());
    };
    process.once("disconnect", end);
    const ready = await contender.prepare(task);
    process.on("message", (message) => {
      if (message === "end") end();
      else void round(contender).then((value) => say({ kind: "round", value }), fail);
    });
    say({ kind: "ready", ready });
  } catch (error) {
    fail(error);
  }
}

await host(JSON.parse(process.argv[3]!) as Assignment);

// The thread on which programs run; started by sandbox.ts. It answers "ready", then one outcome to each program.

import { parentPort } from "node:worker_threads";
import { createRunner } from "./quickjs.ts";
import type { Limits } from "./outcome.ts";
import type { Program } from "./task.ts";

if (parentPort === null) throw new Error("the sandbox's worker is a thread of its own, and cannot be run as a program");
const port = parentPort;
const run = await createRunner();

port.on("message", async ({ program, limits }: { readonly program: Program; readonly limits: Limits }) => {
  port.postMessage(await run(program, limits));
});
port.postMessage("ready");

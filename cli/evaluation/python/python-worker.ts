// The process in which programs in Python run; started by process-cell.ts with an empty environment and the folder of pyodide. It answers
// "ready", then one outcome to each program.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Limits } from "../outcome.ts";
import type { Program } from "../task.ts";
import { startInterpreter, type Interpreter } from "./interpreter.ts";
import { judgeProgram } from "./judge-program.ts";
import { sealRealm } from "./realm.ts";

const [, , folder] = process.argv;
if (folder === undefined || process.send === undefined)
  throw new Error("the sandbox's process is started by kedge, and cannot be run as a program");
const send = process.send.bind(process);
const exit = process.exit.bind(process);
const usage = process.cpuUsage.bind(process);
const processorMs = (): number => {
  const { user, system } = usage();
  return (user + system) / 1000;
};
const onMessage = process.on.bind(process);
const random = createRequire(import.meta.url)("node:crypto").randomFillSync as (bytes: Uint8Array) => void;
const { info } = JSON.parse(readFileSync(join(folder, "pyodide-lock.json"), "utf8")) as { info: unknown };
const files = {
  wasm: new Uint8Array(readFileSync(join(folder, "pyodide.asm.wasm"))),
  standardLibrary: new Uint8Array(readFileSync(join(folder, "python_stdlib.zip"))),
};

let interpreter: Promise<Interpreter> | undefined;
onMessage("message", async ({ program, limits }: { readonly program: Program; readonly limits: Limits }) => {
  send(await judgeProgram(await interpreter!, program, limits, processorMs));
});
onMessage("uncaughtException", ({ message }: Error) => send({ problem: message.slice(0, 500) }, () => exit(1)));
onMessage("disconnect", () => exit(0));

// The glue finds out at its first line where it runs: it must find a bare shell.
sealRealm();
const start = startInterpreter({
  ...files,
  lockInfo: info,
  fillRandom: (bytes) => void random(bytes),
  load: async () => {
    const [{ loadPyodide }, { default: makeGlue }] = await Promise.all(
      ["pyodide.mjs", "pyodide.asm.mjs"].map((name) => import(pathToFileURL(join(folder, name)).href)),
    );
    return { loadPyodide, makeGlue };
  },
});
interpreter = start;
send(
  await start.then(
    () => "ready",
    (error: unknown) => ({ problem: error instanceof Error ? error.message : String(error) }),
  ),
);

// A process that runs one program in Python at a time. It has an empty environment and no files but the channel, and is killed where it does not
// answer.

import { fork, type ChildProcess } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { afterDeadline, RunnerCell, type Answer } from "../cells.ts";
import { failure, type Limits, type Outcome } from "../outcome.ts";
import type { Program } from "../task.ts";
import { nodeFlags } from "./node-flags.ts";
import { wallMs } from "./time-limit.ts";

/** How long after the deadline a process may still answer by itself, in milliseconds. */
const GRACE_MS = 2000;
/** How long a process may take to start: it compiles CPython. */
const START_MS = 120_000;

/** What a process says that cannot go on. */
interface Problem {
  readonly problem: string;
}

/** Runs programs in a process of its own. */
export class ProcessCell extends RunnerCell<ChildProcess> {
  readonly #workerUrl: URL;
  readonly #folder: string;
  readonly #limits: Limits;

  /** @param folder the package pyodide */
  constructor(workerUrl: URL, folder: string, limits: Limits) {
    super();
    this.#workerUrl = workerUrl;
    this.#folder = folder;
    this.#limits = limits;
  }

  protected start(): Promise<ChildProcess> {
    return startProcess(this.#workerUrl, this.#folder);
  }

  protected end(child: ChildProcess): Promise<unknown> {
    return end(child);
  }

  protected ask(child: ChildProcess, program: Program, signal: AbortSignal | undefined): Promise<Answer> {
    const { timeMs } = this.#limits;
    return new Promise((resolve) => {
      const settle = (outcome: Outcome, isAlive: boolean): void => {
        clearTimeout(timer);
        child.off("message", onAnswer).off("exit", onExit);
        signal?.removeEventListener("abort", onAbort);
        setReferenced(child, false);
        resolve({ outcome, isAlive });
      };
      const onAnswer = (answer: Outcome | Problem): void => {
        if ("passed" in answer) settle(answer, true);
        else settle(failure("exception", `the interpreter's process failed: ${answer.problem}`), false);
      };
      const onExit = (code: number | null, name: string | null): void => {
        const message = `the interpreter's process ended with ${code === null ? name : `code ${code}`}`;
        settle(code === null && name === "SIGKILL" ? failure("memory", message) : failure("exception", message), false);
      };
      const onTimeout = (): void => settle(failure("timeout", `ran longer than ${timeMs} ms`), false);
      const onAbort = (): void => settle(failure("timeout", "stopped"), false);
      const timer = afterDeadline(wallMs(timeMs) + GRACE_MS, onTimeout);
      child.on("message", onAnswer).on("exit", onExit);
      signal?.addEventListener("abort", onAbort);
      setReferenced(child, true);
      child.send({ program, limits: this.#limits }, () => {}); // where that fails, it has ended, which is heard
    });
  }
}

function startProcess(url: URL, folder: string): Promise<ChildProcess> {
  const path = fileURLToPath(url);
  if (!existsSync(path))
    return Promise.reject(
      new Error(`${path}, the worker that runs generated Python, is not there: build the project first`),
    );
  const [worker, package_] = [realpathSync(path), realpathSync(folder)];
  const child = fork(worker, [package_], {
    cwd: package_,
    env: {},
    execArgv: nodeFlags([dirname(worker), package_]),
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    serialization: "json",
  });
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      child.off("message", onReady).off("error", onError).off("exit", onExit);
      if (error === undefined) {
        child.on("error", () => {}); // a message to a process that has just ended
        return resolve(child);
      }
      void end(child);
      reject(new Error(`the sandbox for Python did not start: ${error.message}`, { cause: error }));
    };
    const onReady = (said: "ready" | Problem): void => settle(said === "ready" ? undefined : new Error(said.problem));
    const onError = (error: Error): void => settle(error);
    const onExit = (code: number | null, name: string | null): void =>
      settle(new Error(`its process ended with ${code === null ? name : `code ${code}`}`));
    const timer = setTimeout(() => settle(new Error(`not ready after ${START_MS} ms`)), START_MS);
    child.on("message", onReady).on("error", onError).on("exit", onExit);
  });
}

/** An idle process does not keep this one from ending. */
function setReferenced(child: ChildProcess, isReferenced: boolean): void {
  const { channel } = child;
  if (isReferenced) {
    child.ref();
    channel?.ref();
  } else {
    child.unref();
    channel?.unref();
  }
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.ref();
    child.kill("SIGKILL");
  });
}

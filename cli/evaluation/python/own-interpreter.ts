// Programs run by a Python of the user's own: a process each, in an empty folder that is removed afterwards, under limits. This is no sandbox: a
// program may do what the user may, and may write the answer itself.

import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { UnsupportedError } from "kedge";
import type { Cell } from "../cells.ts";
import { failure, notJudged, outcomeOf, type Limits, type Outcome } from "../outcome.ts";
import type { Program } from "../task.ts";
import { OWN_INTERPRETER_SOURCE } from "./own-interpreter-source.ts";
import { wallMs } from "./time-limit.ts";

/** The most that a program may answer: more is no answer. */
const ANSWER_CHARACTERS = 10_000;
/** Addresses of the interpreter itself, which its limit counts too. */
const INTERPRETER_BYTES = 1 << 30;
/** How long after its time on processors a program may run by the wall clock before the system's own limit has ended it. */
const GRACE_MS = 2000;

/** How a process ended. */
interface Ended {
  readonly answer: string;
  readonly code: number | null;
  readonly signalName: NodeJS.Signals | null;
  readonly isLate: boolean;
}

/** Runs each program in a process of its own, of the interpreter at `path`. */
export class OwnInterpreterCell implements Cell {
  readonly #path: string;
  readonly #limits: Limits;
  #child: ChildProcess | undefined;

  constructor(path: string, limits: Limits) {
    this.#path = path;
    this.#limits = limits;
  }

  async run({ source, check }: Program, signal: AbortSignal | undefined): Promise<Outcome> {
    signal?.throwIfAborted();
    if (check.kind !== "script") return notJudged("needs tests that are a script");
    const { timeMs, memoryBytes } = this.#limits;
    const nonce = randomUUID();
    const seconds = Math.ceil(timeMs / 1000);
    const request = { program: source, tests: check.source, nonce, seconds, bytes: memoryBytes + INTERPRETER_BYTES };
    const folder = mkdtempSync(join(tmpdir(), "kedge-python-"));
    try {
      const ended = await this.#ask(JSON.stringify(request), folder, signal);
      signal?.throwIfAborted();
      return outcomeOfProcess(ended, nonce, timeMs);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  dispose(): Promise<void> {
    endAll(this.#child);
    return Promise.resolve();
  }

  #ask(request: string, folder: string, signal: AbortSignal | undefined): Promise<Ended> {
    // Isolated: none of Python's variables, no packages of the user's own, not the folder it is started in.
    const child = spawn(this.#path, ["-I", "-c", OWN_INTERPRETER_SOURCE], {
      cwd: folder,
      env: kept(),
      stdio: ["pipe", "ignore", "ignore", "pipe"],
      detached: true, // a group of its own, so that what a program starts ends with it
    });
    this.#child = child;
    return new Promise((resolve, reject) => {
      let answer = "";
      let isLate = false;
      const timer = setTimeout(
        () => {
          isLate = true;
          endAll(child);
        },
        wallMs(this.#limits.timeMs) + GRACE_MS,
      );
      const onAbort = (): void => endAll(child);
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        endAll(child); // what it started
      };
      signal?.addEventListener("abort", onAbort);
      child.once("error", (cause: NodeJS.ErrnoException) => {
        settle();
        const reason = cause.code === "ENOENT" ? "no such program" : cause.message;
        const problem = `${this.#path}: cannot be started as an interpreter of Python: ${reason}`;
        reject(new UnsupportedError(problem, { cause }));
      });
      child.once("exit", (code, signalName) => {
        // The answer may still be in the pipe; a process that the program left behind may hold it open.
        setTimeout(() => {
          settle();
          resolve({ answer, code, signalName, isLate });
        }, 20);
      });
      const channel = child.stdio[3] as Readable;
      channel.setEncoding("utf8").on("data", (text: string) => {
        if (answer.length <= ANSWER_CHARACTERS) answer += text;
      });
      for (const stream of [channel, child.stdin!]) stream.on("error", () => {}); // it ended, which is heard
      child.stdin!.end(request);
    });
  }
}

function outcomeOfProcess({ answer, code, signalName, isLate }: Ended, nonce: string, timeMs: number): Outcome {
  // The system's own limit on the time of processors ends it with one of these.
  if (isLate || signalName === "SIGXCPU" || signalName === "SIGKILL")
    return failure("timeout", `ran longer than ${timeMs} ms`);
  const { kind, message } = readAnswer(answer, nonce) ?? {};
  if (kind === null || typeof kind === "string") return outcomeOf(kind, String(message));
  const end = code === null ? signalName : `code ${code}`;
  return failure("exception", `the interpreter ended with ${end} before its answer`);
}

function readAnswer(text: string, nonce: string): { readonly kind?: unknown; readonly message?: unknown } | undefined {
  try {
    const answer = JSON.parse(text) as { readonly nonce?: unknown; readonly kind?: unknown } | null;
    return answer?.nonce === nonce ? answer : undefined;
  } catch {
    return undefined; // none, or not a whole one
  }
}

/** The variables by which an interpreter finds itself, where its path leads to a script of a version manager. */
function kept(): NodeJS.ProcessEnv {
  const names = ["PATH", "HOME", "SystemRoot"];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

/** Ends a process and all that it started. */
function endAll(child: ChildProcess | undefined): void {
  if (child?.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL"); // no groups here, or all have ended
  }
}

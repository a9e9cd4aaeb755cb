// Runs untrusted programs under limits. JavaScript runs in QuickJS, an interpreter in WebAssembly, on a worker thread; Python in CPython in
// WebAssembly, in a process of its own (python/).
//
// For JavaScript there are three barriers, each for what the one before does not stop. The interpreter gives a program neither files nor network nor
// timers, counts its memory and stack, and stops it at the deadline. WebAssembly holds the interpreter, should it err. The
// thread is ended from outside if the interpreter hangs in a builtin, which it cannot interrupt.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterDeadline, Cells, RunnerCell, type Answer, type Cell } from "./cells.ts";
import { DEFAULT_LIMITS, DEFAULT_PYTHON_LIMITS, failure, type Limits, type Outcome } from "./outcome.ts";
import { findPyodide } from "./python/find-pyodide.ts";
import { OwnInterpreterCell } from "./python/own-interpreter.ts";
import { ProcessCell } from "./python/process-cell.ts";
import type { Language, Program } from "./task.ts";

/** How long after the deadline a worker may still answer by itself, in milliseconds. */
const GRACE_MS = 1000;
/** How long a worker may take to start. */
const START_MS = 60_000;
/** V8's stack for the interpreter: it must not end before the interpreter's own stack does. */
const STACK_MB = 64;
/** V8's heap of the worker, which holds no values of programs. */
const HEAP_MB = 256;

/** Options of {@link openSandbox}. */
export interface SandboxOptions {
  /** bounds of each program; 5 s and 64 MiB by default */
  readonly limits?: Partial<Limits> | undefined;
  /** programs that run at the same time, 1 or more; 1 by default */
  readonly workers?: number | undefined;
  /** the bundled worker, where it is not the package's own */
  readonly workerUrl?: URL | undefined;
  /** the bundled worker for Python, likewise */
  readonly pythonWorkerUrl?: URL | undefined;
  /** the folder of the package pyodide, where it is not the one that is found */
  readonly pyodide?: string | undefined;
  /** an interpreter of Python, run in place of the sandbox: it contains nothing */
  readonly python?: string | undefined;
}

/** A place to run programs in. */
export interface Sandbox {
  /** of programs in JavaScript */
  readonly limits: Limits;
  /** of programs in a language; `limits` where that is left out */
  readonly limitsOf?: (language: Language) => Limits;
  /** the interpreter that runs programs in Python in place of the sandbox */
  readonly python?: string | undefined;
  /**
   * Runs a program and says how it fared; what the program does is never thrown.
   *
   * @throws the signal's reason; UnsupportedError if the program is in Python and pyodide is not installed; Error if the sandbox or interpreter cannot be started or was disposed
   */
  run(program: Program, signal?: AbortSignal): Promise<Outcome>;
  /** Ends the threads and processes; programs that still run are not answered. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Opens a sandbox; threads and processes start with the first programs. */
export function openSandbox(options: SandboxOptions = {}): Sandbox {
  const { workers = 1, workerUrl = new URL("../../dist/sandbox-worker.js", import.meta.url) } = options;
  const { pythonWorkerUrl = new URL("../../dist/python-worker.js", import.meta.url) } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const pythonLimits = { ...DEFAULT_PYTHON_LIMITS, ...options.limits };
  if (!Number.isInteger(workers) || workers < 1) throw new RangeError(`workers is ${workers}, wanted 1 or more`);
  for (const { timeMs, memoryBytes } of [limits, pythonLimits]) {
    if (!(timeMs > 0 && timeMs <= 3_600_000))
      throw new RangeError(`timeMs is ${timeMs}, wanted more than 0 and at most 3600000`);
    if (!(memoryBytes >= 1 << 20 && memoryBytes <= 2 ** 30))
      throw new RangeError(`memoryBytes is ${memoryBytes}, wanted ${1 << 20} to ${2 ** 30}`);
  }
  const cells = (make: () => Cell, own: Limits): Cells => new Cells(own, Array.from({ length: workers }, make));
  const javascript = cells(() => new ThreadCell(workerUrl, limits), limits);
  let python: Cells | undefined;
  const pythonCells = (): Cells => {
    const own = options.python;
    if (own !== undefined) return (python ??= cells(() => new OwnInterpreterCell(own, pythonLimits), pythonLimits));
    const folder = options.pyodide ?? findPyodide();
    return (python ??= cells(() => new ProcessCell(pythonWorkerUrl, folder, pythonLimits), pythonLimits));
  };
  const dispose = async (): Promise<void> => {
    await Promise.all([javascript.dispose(), python?.dispose()]);
  };
  return {
    limits,
    python: options.python,
    limitsOf: (language) => (language === "python" ? pythonLimits : limits),
    async run(program, signal) {
      return (program.language === "python" ? pythonCells() : javascript).run(program, signal);
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Runs programs on a thread. */
class ThreadCell extends RunnerCell<Worker> {
  readonly #workerUrl: URL;
  readonly #limits: Limits;

  constructor(workerUrl: URL, limits: Limits) {
    super();
    this.#workerUrl = workerUrl;
    this.#limits = limits;
  }

  protected start(): Promise<Worker> {
    return startWorker(this.#workerUrl);
  }

  protected end(worker: Worker): Promise<unknown> {
    return worker.terminate();
  }

  protected ask(worker: Worker, program: Program, signal: AbortSignal | undefined): Promise<Answer> {
    const { timeMs } = this.#limits;
    return new Promise((resolve) => {
      const settle = (outcome: Outcome, isAlive: boolean): void => {
        clearTimeout(timer);
        worker.off("message", onAnswer).off("error", onError).off("exit", onExit);
        signal?.removeEventListener("abort", onAbort);
        worker.unref();
        resolve({ outcome, isAlive });
      };
      const onAnswer = (outcome: Outcome): void => settle(outcome, true);
      const onError = (error: Error & { code?: string }): void => {
        const isMemory = error.code === "ERR_WORKER_OUT_OF_MEMORY";
        const message = isMemory ? "out of memory" : `the interpreter's thread ended: ${error.message}`;
        settle(failure(isMemory ? "memory" : "exception", message), false);
      };
      const onExit = (code: number): void =>
        settle(failure("exception", `the interpreter's thread ended with code ${code}`), false);
      const onTimeout = (): void => settle(failure("timeout", `ran longer than ${timeMs} ms`), false);
      const onAbort = (): void => settle(failure("timeout", "stopped"), false);
      const timer = afterDeadline(timeMs + GRACE_MS, onTimeout);
      worker.on("message", onAnswer).on("error", onError).on("exit", onExit);
      signal?.addEventListener("abort", onAbort);
      worker.ref();
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      worker.postMessage({ program, limits: this.#limits });
    });
  }
}

function startWorker(url: URL): Promise<Worker> {
  const path = fileURLToPath(url);
  if (!existsSync(path))
    return Promise.reject(
      new Error(`${path}, the worker that runs generated code, is not there: build the project first`),
    );
  const worker = new Worker(url, {
    name: "kedge sandbox",
    env: {},
    execArgv: [],
    resourceLimits: { stackSizeMb: STACK_MB, maxOldGenerationSizeMb: HEAP_MB },
  });
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      worker.off("message", onReady).off("error", onError).off("exit", onExit);
      if (error === undefined) return resolve(worker);
      void worker.terminate();
      reject(new Error(`the sandbox did not start: ${error.message}`, { cause: error }));
    };
    const onReady = (): void => settle();
    const onError = (error: Error): void => settle(error);
    const onExit = (code: number): void => settle(new Error(`its thread ended with code ${code}`));
    const timer = setTimeout(() => settle(new Error(`not ready after ${START_MS} ms`)), START_MS);
    worker.on("message", onReady).on("error", onError).on("exit", onExit);
  });
}

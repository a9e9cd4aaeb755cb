// Places that run one program at a time, and the queue before them.

import type { Limits, Outcome } from "./outcome.ts";
import type { Program } from "./task.ts";

/** Runs one program at a time; starts what it needs with the first one, and anew after it had to be ended. */
export interface Cell {
  run(program: Program, signal: AbortSignal | undefined): Promise<Outcome>;
  /** Ends what runs. */
  dispose(): Promise<void>;
}

/** What came of a program, and whether its runner can take the next one. */
export interface Answer {
  readonly outcome: Outcome;
  readonly isAlive: boolean;
}

/** A cell with a runner, such as a thread or a process, that is started with the first program and anew after it had to be ended. */
export abstract class RunnerCell<Runner> implements Cell {
  #runner: Promise<Runner> | undefined;

  /** Starts a runner; rejects where that fails. */
  protected abstract start(): Promise<Runner>;
  /** Lets a runner run a program. */
  protected abstract ask(runner: Runner, program: Program, signal: AbortSignal | undefined): Promise<Answer>;
  /** Ends a runner. */
  protected abstract end(runner: Runner): Promise<unknown>;

  async run(program: Program, signal: AbortSignal | undefined): Promise<Outcome> {
    signal?.throwIfAborted();
    this.#runner ??= this.start();
    const runner = await this.#runner.catch((error: unknown) => {
      this.#runner = undefined; // the next program tries again
      throw error;
    });
    const { outcome, isAlive } = await this.ask(runner, program, signal);
    if (isAlive) return outcome;
    await this.dispose();
    signal?.throwIfAborted();
    return outcome;
  }

  async dispose(): Promise<void> {
    const runner = this.#runner;
    this.#runner = undefined;
    await runner?.then(
      (started) => this.end(started),
      () => {},
    );
  }
}

/** Calls back when a time is over. This thread may have been busy past it with the answer waiting: that is heard before. */
export function afterDeadline(milliseconds: number, then: () => void): NodeJS.Timeout {
  return setTimeout(() => setImmediate(() => setImmediate(then)), milliseconds);
}

/** A number of cells, and programs that wait for one. */
export class Cells {
  readonly limits: Limits;
  readonly #cells: readonly Cell[];
  readonly #idle: Cell[];
  readonly #waiting: { readonly take: (cell: Cell) => void; readonly fail: (error: Error) => void }[] = [];
  #isDisposed = false;

  constructor(limits: Limits, cells: readonly Cell[]) {
    this.limits = limits;
    this.#cells = cells;
    this.#idle = [...cells];
  }

  /** Runs a program in the next cell that is free. */
  async run(program: Program, signal?: AbortSignal): Promise<Outcome> {
    const cell = await this.#take();
    try {
      const outcome = await cell.run(program, signal);
      if (this.#isDisposed) throw disposed(); // it was ended
      return outcome;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#idle.push(cell);
      else next.take(cell);
    }
  }

  /** Ends all cells; programs that still run are not answered. */
  async dispose(): Promise<void> {
    this.#isDisposed = true;
    for (const { fail } of this.#waiting.splice(0)) fail(disposed());
    await Promise.all(this.#cells.map((cell) => cell.dispose()));
  }

  #take(): Promise<Cell> {
    if (this.#isDisposed) return Promise.reject(disposed());
    const cell = this.#idle.pop();
    if (cell !== undefined) return Promise.resolve(cell);
    return new Promise((take, fail) => this.#waiting.push({ take, fail }));
  }
}

function disposed(): Error {
  return new Error("the sandbox was disposed");
}

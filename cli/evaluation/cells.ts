// Places that run one program at a time, and the queue before them.

import type { Limits, Outcome } from "./outcome.ts";
import type { Program } from "./task.ts";

/** Runs one program at a time; starts what it needs with the first one, and anew after it had to be ended. */
export interface Cell {
  run(program: Program, signal: AbortSignal | undefined): Promise<Outcome>;
  /** Ends what runs. */
  dispose(): Promise<void>;
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

// Keeps a batch full: as many runs at a time as there are rows; when one ends the next prompt takes its place. The runs ask one
// scheduler, which makes one batch of them.
//
// Each run goes on as soon as it can, without waiting for whoever reads the pieces, up to a few pieces: rows that waited for a slow
// reader one after the other would not be in one step.

import type { GenerateOptions, LogitsContext } from "./generate.ts";
import type { Piece } from "./rows.ts";
import type { StopState } from "./stop.ts";

/** Pieces of a run that may wait for the reader. */
const MOST_PIECES = 16;

/** A list of prompts, all there or still coming. */
export type Source<T> = Iterable<T> | AsyncIterable<T>;

/** A run of one prompt of many: its callbacks and pieces name the prompt by its index among all. */
export async function* ofPrompt<O extends GenerateOptions>(
  promptIndex: number,
  options: O,
  run: (options: O) => AsyncGenerator<Piece, void, undefined>,
): AsyncGenerator<Piece, void, undefined> {
  const { stopWhen, logitsHook, samples = 1 } = options;
  const own: O = {
    ...options,
    ...(stopWhen && { stopWhen: (state: StopState) => stopWhen({ ...state, promptIndex }) }),
    ...(logitsHook && {
      logitsHook: (logits: Float32Array, context: LogitsContext) =>
        logitsHook(logits, { ...context, row: promptIndex * samples + context.row }),
    }),
  };
  for await (const piece of run(own)) yield { ...piece, promptIndex };
}

/** A run: how many of its pieces have not been read. */
interface Running {
  waiting: number;
  /** continues the run, which waits for the reader */
  resume: (() => void) | undefined;
}

/**
 * Starts a run for each item of the source, at most `rows` at a time, and yields their pieces as they come. A run gets its item and the
 * item's index. All runs have ended when it ends, also after an error, an abort or the caller's `break`. Throws what the source or a
 * run throws, and the signal's reason; runs are to watch the signal themselves.
 */
export async function* refill<T>(
  source: Source<T>,
  rows: number,
  start: (item: T, index: number) => AsyncGenerator<Piece, void, undefined>,
  signal?: AbortSignal,
): AsyncGenerator<Piece, void, undefined> {
  signal?.throwIfAborted();
  const filling = new Filling(source, start);
  const onAbort = () => filling.fail(signal!.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    yield* filling.pieces(rows);
  } finally {
    signal?.removeEventListener("abort", onAbort);
    await filling.stop();
  }
}

class Filling<T> {
  readonly #items: Iterator<T> | AsyncIterator<T>;
  readonly #start: (item: T, index: number) => AsyncGenerator<Piece, void, undefined>;
  readonly #ready: { readonly piece: Piece; readonly from: Running }[] = [];
  readonly #running = new Set<Running>();
  #workers: readonly Promise<void>[] = [];
  #working = 0;
  #index = 0;
  /** the source has no more items */
  #isOver = false;
  #isStopped = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;
  /** the last item that was asked for: one at a time is */
  #asked: Promise<unknown> = Promise.resolve();
  #endWaiting!: () => void;
  readonly #stopped = new Promise<void>((resolve) => (this.#endWaiting = resolve));

  constructor(source: Source<T>, start: (item: T, index: number) => AsyncGenerator<Piece, void, undefined>) {
    this.#items = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    this.#start = start;
  }

  async *pieces(rows: number): AsyncGenerator<Piece, void, undefined> {
    this.#working = rows;
    this.#workers = Array.from({ length: rows }, () => this.#work());
    for (;;) {
      const first = this.#ready.shift();
      if (first) {
        first.from.waiting--;
        first.from.resume?.();
        yield first.piece;
      } else if (this.#failure) throw this.#failure.error;
      else if (this.#working === 0) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Makes the reader throw once it has read what is there. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake?.();
  }

  /** Ends all runs, each with its current step, and resolves when they have ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#endWaiting();
    for (const { resume } of this.#running) resume?.();
    await Promise.all(this.#workers);
    if (!this.#isOver) void this.#items.return?.();
  }

  /** Runs item after item. */
  async #work(): Promise<void> {
    try {
      for (;;) {
        const item = await this.#next();
        if (item === undefined) return;
        await this.#run(this.#start(item.value, this.#index++));
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.#working--;
      this.#wake?.();
    }
  }

  async #run(pieces: AsyncGenerator<Piece, void, undefined>): Promise<void> {
    const own: Running = { waiting: 0, resume: undefined };
    this.#running.add(own);
    try {
      for await (const piece of pieces) {
        if (this.#isStopped) return;
        this.#ready.push({ piece, from: own });
        this.#wake?.();
        own.waiting++;
        if (own.waiting >= MOST_PIECES) await new Promise<void>((resolve) => (own.resume = resolve));
        if (this.#isStopped) return;
      }
    } finally {
      this.#running.delete(own);
    }
  }

  /** The next item of the source, or undefined if there is none, or nobody wants more. */
  async #next(): Promise<{ readonly value: T } | undefined> {
    const asked = this.#asked.then(async () => {
      if (this.#isOver || this.#isStopped || this.#failure) return undefined;
      const result = await Promise.race([this.#items.next(), this.#stopped]);
      if (!result) return undefined;
      this.#isOver = result.done === true;
      return result.done === true ? undefined : { value: result.value };
    });
    this.#asked = asked.catch(() => (this.#isOver = true));
    return asked;
  }
}

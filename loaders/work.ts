// Work that pauses now and then, so that a long text does not keep a thread to itself.

/** Work that pauses where the caller may do something else. */
export type Work<Result> = Generator<undefined, Result, undefined>;

/** Does work to its end, without pauses. */
export function finish<Result>(work: Work<Result>): Result {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** Milliseconds of work in one turn. */
const TURN_MS = 5;

/** Calls back once other work of the thread has had its turn: at once in Node, where a timer waits for a millisecond. */
const afterOthers: (work: (nothing: void) => void) => unknown = globalThis.setImmediate ?? setTimeout;

/** Does work in turns of about {@link TURN_MS}, between which other work of the thread goes on. Rejects once `signal` is aborted. */
export async function finishInTurns<Result>(work: Work<Result>, signal?: AbortSignal): Promise<Result> {
  let turnEnd = performance.now() + TURN_MS;
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    if (performance.now() < turnEnd) continue;
    signal?.throwIfAborted();
    await new Promise(afterOthers);
    signal?.throwIfAborted();
    turnEnd = performance.now() + TURN_MS;
  }
}

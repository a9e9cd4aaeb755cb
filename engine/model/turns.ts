// A queue of turns: it runs one thing at a time. In a turn a model may call functions of its user (hooks), and these must not ask for
// a turn of the same queue: they would wait for themselves for good.
//
// The rule: a request from within such a function is refused, every other request waits for its turn. Node, Deno and Bun tell which is
// which by AsyncLocalStorage, whatever the function has awaited. Browsers have nothing like it: there a request is refused if it comes
// before the function's first `await`; later ones wait, and are refused when the function has kept them waiting for 10 s. That limit
// holds everywhere for a request that waits for a reader (`paused`), which no engine tells from other callers.

/** How long a request waits for a function, or a reader, that may be waiting for the request itself. */
const PATIENCE_MILLISECONDS = 10_000;

/** A function of the user's that runs in a turn. */
interface HostCall {
  readonly turns: Turns;
  readonly name: string;
  /** the function that this one was called from, of another queue */
  readonly outer: HostCall | undefined;
  isRunning: boolean;
}

interface Storage {
  run<T>(store: HostCall, work: () => T): T;
  getStore(): HostCall | undefined;
  disable(): void;
}

type NodeProcess = { getBuiltinModule?(id: string): { readonly AsyncLocalStorage: new () => Storage } | undefined };

let storage: Storage | null | undefined;
/** calls that run; without any the storage is disabled, since it slows promises in older versions of Node */
let running = 0;
/** where there is no storage: the function that is running up to its first `await` */
let synchronous: HostCall | undefined;

function openStorage(): Storage | null {
  const { process } = globalThis as { readonly process?: NodeProcess };
  const AsyncLocalStorage = process?.getBuiltinModule?.("node:async_hooks")?.AsyncLocalStorage;
  return AsyncLocalStorage ? new AsyncLocalStorage() : null;
}

/** Pretends that the engine has no AsyncLocalStorage, as browsers have none; for tests. */
export function withoutStorage(): () => void {
  storage = null;
  return () => (storage = undefined);
}

interface Waiting {
  readonly refuse: (reason: unknown) => void;
  timer?: ReturnType<typeof setTimeout>;
}

/** A queue that runs one thing at a time, in the order of the requests. */
export class Turns {
  /** its owner in messages: "model", "conversation" */
  readonly #owner: string;
  #last: Promise<unknown> = Promise.resolve();
  /** turns that were asked for and have not ended */
  #count = 0;
  readonly #waiting = new Set<Waiting>();
  /** what the current turn waits for, where requests lose patience with it */
  #slow: string | undefined;

  constructor(owner: string) {
    this.#owner = owner;
  }

  /** Throws a TypeError if this is called from within a function that runs in a turn of this queue. */
  throwIfWithin(): void {
    for (let call = storage ? storage.getStore() : synchronous; call; call = call.outer) {
      if (call.turns !== this || !call.isRunning) continue;
      throw new TypeError(
        `${call.name} calls the ${this.#owner} that it runs in, which waits for ${call.name}: use another one, or call this one afterwards`,
      );
    }
  }

  /** Waits for the earlier turns, then runs the task. Rejects with a TypeError by the rule above, and once `signal` aborts while it waits. */
  async take<T>(signal: AbortSignal | undefined, task: () => T | Promise<T>): Promise<T> {
    const end = await this.enter(signal);
    try {
      signal?.throwIfAborted();
      return await task();
    } finally {
      end();
    }
  }

  /** Waits for the earlier turns. The turn lasts until the result is called. Rejects as `take` does. */
  async enter(signal?: AbortSignal): Promise<() => void> {
    this.throwIfWithin();
    const before = this.#last;
    let end: (() => void) | undefined;
    const own = new Promise<void>((resolve) => (end = resolve));
    // Turns end in order, even if a request is refused while it waits.
    this.#last = own.then(() => before);
    const isFirst = this.#count++ === 0;
    const leave = () => {
      this.#count--;
      end!();
    };
    if (isFirst) return leave;
    try {
      await this.#wait(before, signal);
      return leave;
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Calls a function of the user's in the current turn. */
  async call<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    if (storage === undefined) storage = openStorage();
    const outer = storage ? storage.getStore() : synchronous;
    const call: HostCall = { turns: this, name, outer, isRunning: true };
    running++;
    let resume: (() => void) | undefined;
    try {
      let result: T | Promise<T>;
      if (storage) result = storage.run(call, work);
      else {
        synchronous = call;
        try {
          result = work();
        } finally {
          synchronous = outer;
        }
        if (result instanceof Promise) resume = this.paused(name);
      }
      return await result;
    } finally {
      call.isRunning = false;
      resume?.();
      if (--running === 0) storage?.disable();
    }
  }

  /** The current turn waits for something of the user's until the result is called. */
  paused(name: string): () => void {
    this.#slow = name;
    for (const waiting of this.#waiting) this.#watch(waiting);
    return () => {
      this.#slow = undefined;
      for (const { timer } of this.#waiting) clearTimeout(timer);
    };
  }

  async #wait(before: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
    let refuse: Waiting["refuse"] | undefined;
    const refused = new Promise<never>((_, reject) => (refuse = reject));
    const waiting: Waiting = { refuse: refuse! };
    const stop = () => waiting.refuse(signal!.reason);
    this.#waiting.add(waiting);
    if (this.#slow !== undefined) this.#watch(waiting);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop);
    try {
      await Promise.race([before, refused]);
    } finally {
      clearTimeout(waiting.timer);
      this.#waiting.delete(waiting);
      signal?.removeEventListener("abort", stop);
    }
  }

  #watch(waiting: Waiting): void {
    const name = this.#slow!;
    waiting.timer = setTimeout(() => {
      const seconds = PATIENCE_MILLISECONDS / 1000;
      waiting.refuse(
        new TypeError(
          `the ${this.#owner} has waited ${seconds} s for ${name}: what ${name} itself waits for must not need the ${this.#owner}`,
        ),
      );
    }, PATIENCE_MILLISECONDS);
  }
}

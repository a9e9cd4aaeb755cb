// Who may run on a model, and who waits. A request says beforehand how many rows it decodes and how many bytes of keys and values they can
// come to; it runs when both are free. The others wait in the order in which they came, and the queue is bounded.
//
// Invariant: what is taken never exceeds the limits, so that the cache of a model is bounded whatever is asked for.

import { ApiError, invalid } from "./api-error.ts";

/** What a request takes while it runs. */
export interface Need {
  /** sequences that it decodes at a time */
  readonly rows: number;
  /** bytes of their keys and values at most */
  readonly bytes: number;
}

/** What there is for all requests of a model. */
export interface AdmissionLimits extends Need {
  /** requests that may wait */
  readonly queue: number;
}

interface Waiting {
  readonly need: Need;
  readonly enter: () => void;
}

/** Gives out rows and bytes of one model. */
export class Admission {
  readonly limits: AdmissionLimits;
  readonly #waiting: Waiting[] = [];
  #rows = 0;
  #bytes = 0;
  /** mean duration of the last requests, in seconds */
  #seconds = 1;

  constructor(limits: AdmissionLimits) {
    this.limits = limits;
  }

  /** What is taken now. */
  get taken(): Need {
    return { rows: this.#rows, bytes: this.#bytes };
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Waits until there is room, takes it, and resolves with what gives it back. Throws an {@link ApiError}: 400 if the need is above the
   * limits, 429 if too many wait already; and the signal's reason.
   */
  async enter(need: Need, signal: AbortSignal): Promise<() => void> {
    const { limits } = this;
    if (need.rows > limits.rows) {
      throw invalid(
        `the request decodes ${need.rows} texts at a time, but this server has room for ${limits.rows}`,
        "n",
      );
    }
    if (need.bytes > limits.bytes) {
      throw invalid(
        `keys and values of the request can take ${need.bytes} bytes, but this server has ${limits.bytes}: ask for fewer tokens (max_tokens)`,
        "max_tokens",
      );
    }
    signal.throwIfAborted();
    if (this.#waiting.length > 0 || !this.#fits(need)) await this.#wait(need, signal);
    else this.#take(need);
    const begin = performance.now();
    let isGivenBack = false;
    return () => {
      if (isGivenBack) return;
      isGivenBack = true;
      this.#seconds += ((performance.now() - begin) / 1000 - this.#seconds) / 8;
      this.#rows -= need.rows;
      this.#bytes -= need.bytes;
      this.#admit();
    };
  }

  #fits({ rows, bytes }: Need): boolean {
    return this.#rows + rows <= this.limits.rows && this.#bytes + bytes <= this.limits.bytes;
  }

  #take({ rows, bytes }: Need): void {
    this.#rows += rows;
    this.#bytes += bytes;
  }

  async #wait(need: Need, signal: AbortSignal): Promise<void> {
    const { queue } = this.limits;
    if (this.#waiting.length >= queue) {
      throw new ApiError(429, `${queue} requests wait already, as many as this server lets wait: try again later`, {
        code: "queue_full",
        retryAfterSeconds: Math.min(60, Math.max(1, Math.ceil(this.#seconds))),
      });
    }
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal.reason);
        this.#admit(); // it may have been in the way of those behind it
      };
      const waiting: Waiting = {
        need,
        enter: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
      };
      this.#waiting.push(waiting);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next && this.#fits(next.need); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#take(next.need);
      next.enter();
    }
  }
}

// The server's state: its models, its metrics, and the requests that are being answered. Each of these has a signal, which is aborted
// when its client leaves, when it takes too long, and when the server ends.

import { CLIENT_LEFT, ApiError } from "./api-error.ts";
import { Metrics } from "./metrics.ts";
import { ServedModels } from "./served-model.ts";

/** What the server allows. */
export interface ServerLimits {
  /** of one request's body */
  readonly bodyBytes: number;
  /** from a request's arrival to the end of its answer */
  readonly timeoutSeconds: number;
  /** how long a client may take nothing of a stream */
  readonly patienceSeconds: number;
}

/** Bodies that the server holds at a time, in bodies of the largest size. */
const BODIES = 16;

/** A request while it is answered. */
export class Work {
  readonly endpoint: string;
  /** name of the model, once that is known */
  model = "";
  readonly #server: Server;
  readonly #controller = new AbortController();
  readonly #begin = performance.now();
  readonly #timer: ReturnType<typeof setTimeout>;
  #bodyBytes = 0;
  #isEnded = false;

  constructor(server: Server, endpoint: string) {
    this.#server = server;
    this.endpoint = endpoint;
    const { timeoutSeconds } = server.limits;
    this.#timer = setTimeout(() => {
      const limit = `the request took ${timeoutSeconds} s, as long as this server lets one take: ask for fewer tokens`;
      this.abort(new ApiError(504, limit, { code: "timeout" }));
    }, timeoutSeconds * 1000);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Seconds since it came. */
  get seconds(): number {
    return (performance.now() - this.#begin) / 1000;
  }

  abort(reason: ApiError): void {
    this.#controller.abort(reason);
  }

  /** The client has left: what is done for it ends. */
  leave = (): void => this.abort(new ApiError(CLIENT_LEFT, "the client has left"));

  /** Counts bytes of its body. Throws an {@link ApiError} if the bodies of all requests are too much. */
  countBody(bytes: number): void {
    this.#server.holdBody(bytes);
    this.#bodyBytes += bytes;
  }

  /** It is over. */
  end(status: number): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#server.holdBody(-this.#bodyBytes);
    this.#server.ended(this);
    this.#server.metrics.ended(this.endpoint, this.model, status, this.seconds);
  }
}

/** What a server is made of. */
export class Server {
  readonly limits: ServerLimits;
  readonly models = new ServedModels();
  readonly metrics = new Metrics(this.models);
  /** told of errors that are no request's fault */
  readonly onUnexpected: (error: unknown) => void;
  /** all models are loaded */
  isReady = false;
  #isDraining = false;
  readonly #works = new Set<Work>();
  #bodyBytes = 0;
  #whenIdle: (() => void) | undefined;

  constructor(limits: ServerLimits, onUnexpected: (error: unknown) => void) {
    this.limits = limits;
    this.onUnexpected = onUnexpected;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Requests that are being answered. */
  get running(): number {
    return this.#works.size;
  }

  /** Begins a request. Throws an {@link ApiError} while the server loads or ends. */
  begin(endpoint: string): Work {
    if (this.#isDraining) throw new ApiError(503, "the server is shutting down", { retryAfterSeconds: 5 });
    if (!this.isReady) throw new ApiError(503, "the server is loading its models", { retryAfterSeconds: 5 });
    const work = new Work(this, endpoint);
    this.#works.add(work);
    return work;
  }

  /** Counts bytes of bodies that are held. */
  holdBody(bytes: number): void {
    const most = BODIES * this.limits.bodyBytes;
    if (this.#bodyBytes + bytes > most) {
      throw new ApiError(429, `the bodies of all requests exceed ${most} bytes: try again later`, {
        retryAfterSeconds: 1,
      });
    }
    this.#bodyBytes += bytes;
  }

  ended(work: Work): void {
    this.#works.delete(work);
    if (this.#works.size === 0) this.#whenIdle?.();
  }

  /** Takes no further requests, waits for those that run, and ends those that take longer than `seconds`. */
  async drain(seconds: number): Promise<void> {
    this.#isDraining = true;
    if (this.#works.size === 0) return;
    const idle = new Promise<void>((resolve) => (this.#whenIdle = resolve));
    const timer = setTimeout(() => {
      for (const work of this.#works) work.abort(new ApiError(503, "the server is shutting down"));
    }, seconds * 1000);
    await idle;
    clearTimeout(timer);
  }
}

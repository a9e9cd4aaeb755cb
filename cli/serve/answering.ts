// How every request for a text is answered: its body is read and checked, it waits for its turn, and then its answer is made, whole or as
// a stream of events. Whatever happens, what it took is given back and it is counted once.

import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Need } from "./admission.ts";
import { ApiError, asApiError, CLIENT_LEFT } from "./api-error.ts";
import { eventStream } from "./event-stream.ts";
import { readBody } from "./read-body.ts";
import type { ServedModel } from "./served-model.ts";
import type { Server, Work } from "./server.ts";

/** A document, or the events of a stream. */
export type Made = object | AsyncGenerator<object, void, undefined>;

/** An answer that can be made. */
export interface Answer {
  readonly served: ServedModel;
  readonly need: Need;
  /** the whole answer, or its events; what it throws before the first of them is refused with its status */
  readonly make: () => Promise<Made>;
}

/** Prepares an answer to a body. Throws an {@link ApiError} for a wrong one. */
export type Prepare = (body: unknown, server: Server, work: Work) => Promise<Answer>;

/** Answers a request of the endpoint. */
export function answer(server: Server, context: Context, endpoint: string, prepare: Prepare): Promise<Response> {
  return within(server, context, endpoint, async (work, body, atEnd) => {
    const { served, need, make } = await prepare(body, server, work);
    work.model = served.id;
    atEnd(await served.admission.enter(need, work.signal));
    return make();
  });
}

/** Answers a request that takes no turn of a model. */
export function answerAtOnce(
  server: Server,
  context: Context,
  endpoint: string,
  make: (body: unknown, server: Server, work: Work) => Promise<object>,
): Promise<Response> {
  return within(server, context, endpoint, (work, body) => make(body, server, work));
}

/** Begins a request, and ends it when its answer, or the stream of it, has ended. `atEnd` is given what is to be done then. */
async function within(
  server: Server,
  context: Context,
  endpoint: string,
  make: (work: Work, body: unknown, atEnd: (task: () => void) => void) => Promise<Made>,
): Promise<Response> {
  const work = server.begin(endpoint);
  const client = context.req.raw.signal;
  const tasks: (() => void)[] = [() => client.removeEventListener("abort", work.leave)];
  const end = (status: number) => {
    for (const task of tasks.splice(0)) task();
    work.end(status);
  };
  client.addEventListener("abort", work.leave);
  try {
    if (client.aborted) work.leave();
    const body = await readBody(context.req.raw, work, server.limits.bodyBytes);
    const made = await make(work, body, (task) => tasks.push(task));
    work.signal.throwIfAborted();
    if (isGenerator(made)) return streamed(server, context, work, made, end);
    end(200);
    return context.json(made);
  } catch (error) {
    const failure = failureOf(server, work, error);
    end(failure.status);
    return refusal(context, failure);
  }
}

function isGenerator(made: Made): made is AsyncGenerator<object, void, undefined> {
  return Symbol.asyncIterator in made;
}

/** The error body of a request that is not answered. */
export function refusal(context: Context, failure: ApiError): Response {
  return context.json(failure.body, failure.status as ContentfulStatusCode, failure.headers);
}

function failureOf(server: Server, { signal }: Work, error: unknown): ApiError {
  if (signal.aborted) return signal.reason as ApiError;
  // What a body's stream throws when the connection breaks.
  if (error instanceof Error && "code" in error && error.code === "ECONNRESET") {
    return new ApiError(CLIENT_LEFT, "the client has left");
  }
  return asApiError(error, server.onUnexpected);
}

function streamed(
  server: Server,
  context: Context,
  work: Work,
  made: AsyncGenerator<object, void, undefined>,
  end: (status: number) => void,
): Response {
  let status = 200;
  const stream = eventStream(texts(made), {
    signal: work.signal,
    patienceSeconds: server.limits.patienceSeconds,
    onError(error) {
      const failure = failureOf(server, work, error);
      ({ status } = failure);
      return JSON.stringify(failure.body);
    },
    onLeft() {
      status = CLIENT_LEFT;
      work.leave();
      (context.env as Partial<HttpBindings> | undefined)?.outgoing?.destroy();
    },
    onEnd: () => end(status),
  });
  const headers = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
  };
  return new Response(stream, { headers });
}

async function* texts(events: AsyncGenerator<object, void, undefined>): AsyncGenerator<string, void, undefined> {
  for await (const event of events) yield JSON.stringify(event);
}

// Server-sent events, made as the client takes them: the next one is asked for when the one before has left, so that nothing is gathered
// for a slow client; it decodes as slowly as it reads. A client that takes nothing for a while is given up.

/** How a stream ends, and what for. */
export interface EventStreamOptions {
  /** ends the stream with an error: its reason */
  readonly signal: AbortSignal;
  /** the text of the event that tells of an error in the middle */
  readonly onError: (error: unknown) => string;
  /** called when the client leaves, or takes nothing for `patienceSeconds`: then its connection is to be closed */
  readonly onLeft: () => void;
  /** called once, when it is over and the generator has ended */
  readonly onEnd: () => void;
  readonly patienceSeconds: number;
}

const encoder = new TextEncoder();

/** The same events, when the first one is there, so that what is wrong from the start is thrown here. */
export async function begun<T>(
  events: AsyncGenerator<T, void, undefined>,
): Promise<AsyncGenerator<T, void, undefined>> {
  const first = await events.next();
  return (async function* () {
    if (first.done) return;
    yield first.value;
    yield* events;
  })();
}

type Controller = ReadableStreamDefaultController<Uint8Array>;

/** Streams events, each a text of JSON, and `[DONE]` behind them. */
export function eventStream(
  events: AsyncGenerator<string, void, undefined>,
  { signal, onError, onLeft, onEnd, patienceSeconds }: EventStreamOptions,
): ReadableStream<Uint8Array> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isPulling = false;
  let isOver = false;
  let controller: Controller;
  const send = (data: string) => controller.enqueue(encoder.encode(`data: ${data}\n\n`));
  /** Ends the generator, which frees what it holds, and then the request. */
  const stop = () => {
    isOver = true;
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    void events.return().then(onEnd, onEnd);
  };
  const fail = (error: unknown) => {
    send(onError(error));
    controller.close();
    stop();
  };
  const leave = () => {
    if (isOver) return;
    stop();
    onLeft();
  };
  // A generator that is asked for the next event throws the reason itself.
  const onAbort = () => {
    if (!isOver && !isPulling) fail(signal.reason);
  };
  const pull = async () => {
    clearTimeout(timer);
    isPulling = true;
    try {
      const { done, value } = await events.next();
      if (isOver) return;
      send(done ? "[DONE]" : value);
      if (done) {
        controller.close();
        stop();
        return;
      }
    } catch (error) {
      if (!isOver) fail(error);
      return;
    } finally {
      isPulling = false;
    }
    if (signal.aborted) return onAbort();
    timer = setTimeout(leave, patienceSeconds * 1000);
  };
  return new ReadableStream<Uint8Array>(
    {
      start(own) {
        controller = own;
        signal.addEventListener("abort", onAbort, { once: true });
      },
      pull,
      cancel: leave,
    },
    { highWaterMark: 0 },
  );
}

// Streams of events: nothing is made that is not read, and however a stream ends its generator ends too.

import { expect, test, vi } from "vitest";
import { eventStream } from "./event-stream.ts";

/** A stream over a generator of numbers, and what happened to them. */
function numbers({ fails = Infinity, patienceSeconds = 10 } = {}) {
  const abort = new AbortController();
  const log = { made: 0, ended: 0, left: 0, freed: false };
  async function* events() {
    try {
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve));
        abort.signal.throwIfAborted();
        if (log.made === fails) throw new Error("broken");
        yield String(log.made++);
      }
    } finally {
      log.freed = true;
    }
  }
  const stream = eventStream(events(), {
    signal: abort.signal,
    patienceSeconds,
    onError: (error) => (error as Error).message,
    onLeft: () => log.left++,
    onEnd: () => log.ended++,
  });
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  return { abort, log, reader, stream };
}

test("an event is made when the one before has been read", async () => {
  const { log, reader } = numbers();
  expect((await reader.read()).value).toBe("data: 0\n\n");
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  const { made } = log;
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  expect(log.made).toBe(made);
  expect(made).toBeLessThanOrEqual(3); // what stands in the pipe of this test
  await reader.cancel();
  await vi.waitFor(() => expect(log).toMatchObject({ left: 1, ended: 1, freed: true }));
});

test("an error is the last event", async () => {
  const { log, reader } = numbers({ fails: 1 });
  const all: string[] = [];
  for (let next = await reader.read(); !next.done; next = await reader.read()) all.push(next.value);
  expect(all).toEqual(["data: 0\n\n", "data: broken\n\n"]);
  await vi.waitFor(() => expect(log).toMatchObject({ left: 0, ended: 1, freed: true }));
});

test("an abort ends a stream that nobody reads", async () => {
  const { abort, log, reader } = numbers();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 20));
  abort.abort(new Error("the end"));
  await vi.waitFor(() => expect(log).toMatchObject({ left: 0, ended: 1, freed: true }));
  const rest: string[] = [];
  for (let next = await reader.read(); !next.done; next = await reader.read()) rest.push(next.value);
  expect(rest.at(-1)).toBe("data: the end\n\n");
});

test("a client that reads nothing for too long is given up", async () => {
  const { log, reader } = numbers({ patienceSeconds: 0.05 });
  await reader.read();
  await vi.waitFor(() => expect(log).toMatchObject({ left: 1, ended: 1, freed: true }));
});

// Requests of several decoders of one model at once: they become one batch, each gives what it gives alone, and none holds another up.

import { DeviceError, policies, type CachePolicy, type Device } from "kedge";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { generate, type GenerateOptions } from "../../engine/generate/generate.ts";
import { EngineDecoder } from "../../engine/model/engine-decoder.ts";
import type { StepsOptions } from "../../engine/model/steps.ts";
import { testDevice } from "../support/devices.ts";
import { isFullExtent } from "../support/extent.ts";
import { openSteps, type OpenedSteps } from "../support/steps.ts";
import { randomTokens } from "../support/tiny-model.ts";

const CHUNK_ROWS = 16;
/** Rows of a prompt in a step that also decodes. */
const MIXED_ROWS = CHUNK_ROWS / 4;

interface Session extends GenerateOptions {
  readonly prompt: readonly number[];
  readonly policy?: CachePolicy | undefined;
  /** breaks off after so many tokens */
  readonly tokens?: number;
}

const noText = () => ({ push: () => "x", finish: () => "" });
const nextTask = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** The tokens that a session writes, with a decoder of its own. */
async function run({ steps }: OpenedSteps, { prompt, policy, tokens = Infinity, ...options }: Session) {
  const written: number[] = [];
  for await (const piece of generate(new EngineDecoder(steps, { policy }), noText, [prompt], options)) {
    written.push(...piece.tokens);
    if (written.length >= tokens) break;
  }
  return written;
}

/** A device that tells the rows of each step, and may be made to wait or fail before a run. */
function watched(device: Device) {
  const rows: number[] = [];
  const watch = { rows, before: (_rows: number): void | Promise<void> => {} };
  const runWatched: Device["run"] = async (executable, ...steps) => {
    const own = steps.map(({ variables }) => variables["rows"]!);
    if (own.some((count) => !(count > 0))) return device.run(executable, ...steps); // moves keys
    rows.push(...own);
    await watch.before(own[0]!);
    return device.run(executable, ...steps);
  };
  const proxy: Device = new Proxy(device, {
    get(target, key) {
      if (key === "run") return runWatched;
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  return { device: proxy, watch };
}

const times = (count: number, rows: number) => Array.from({ length: count }, () => rows);
const isEven = (token: number) => token % 2 === 0;
const isOdd = (token: number) => token % 2 === 1;

describe.each(["reference", "wasm"] as const)("sessions at once on %s", (name) => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice(name);
  });
  afterAll(() => device.dispose());

  const open = async (options: StepsOptions = {}) => {
    const { device: own, watch } = watched(device);
    const opened = await openSteps(own, { chunkRows: CHUNK_ROWS, ahead: { tokens: 1 }, ...options });
    watch.rows.length = 0;
    return { ...opened, watch };
  };

  test("take the steps of one", async () => {
    for (const ahead of [{ tokens: 1 }, { tokens: 16, milliseconds: Infinity }]) {
      const opened = await open({ ahead });
      const sessions = [1, 2, 3, 4].map((seed): Session => ({ prompt: randomTokens(4, seed), maxTokens: 40 }));
      const together = await Promise.all(sessions.map((session) => run(opened, session)));
      expect(opened.watch.rows).toEqual([CHUNK_ROWS, ...times(39, 4)]);
      for (const [i, session] of sessions.entries()) expect(together[i]).toEqual(await run(opened, session));
      expect(opened.steps.cacheBytes().live).toBe(0);
      opened.steps.dispose();
    }
  });

  test("join at any token, and leave at any", async () => {
    const opened = await open();
    const { watch } = opened;
    let joined: Promise<number[]> | undefined;
    watch.before = () => {
      if (watch.rows.length === 10) joined = run(opened, { prompt: randomTokens(3, 2), maxTokens: 8 });
    };
    await run(opened, { prompt: randomTokens(5), maxTokens: 30 });
    await joined;
    expect(watch.rows).toEqual([5, ...times(9, 1), 1 + 3, ...times(7, 2), ...times(12, 1)]);
    opened.steps.dispose();
  });

  test("are what each is alone, whenever they come, whatever they keep, and however they end", async () => {
    const kinds: readonly (CachePolicy | undefined)[] = [
      undefined,
      policies.full(),
      policies.window({ budget: 7 }),
      policies.anchors({ isAnchor: isEven }),
      policies.anchors({ isAnchor: isOdd }),
      policies.heavyHitters({ budget: 8 }),
      policies.keyNorm({ budget: 8 }),
      policies.keyNorm({ budget: 12 }),
    ];
    const choices: readonly GenerateOptions[] = [
      {},
      { temperature: 0.8, topK: 5 },
      { temperature: 1.1, topP: 0.9 },
      { temperature: 0.9, repetitionPenalty: 1.2 },
      { samples: 2, temperature: 0.7, topK: 8 },
      { logProbs: 1 },
    ];
    const anySession = fc.record({
      prompt: fc.tuple(fc.integer({ min: 1, max: 60 }), fc.nat(99)).map(([length, seed]) => randomTokens(length, seed)),
      policy: fc.constantFrom(...kinds),
      choice: fc.constantFrom(...choices),
      maxTokens: fc.integer({ min: 1, max: 12 }),
      delay: fc.nat(12),
      ending: fc.constantFrom("last", "break", "abort"),
      endsAt: fc.nat(11),
    });
    const opened = await open({ ahead: { tokens: 6, milliseconds: Infinity } });
    await fc.assert(
      fc.asyncProperty(fc.array(anySession, { minLength: 2, maxLength: 5 }), async (list) => {
        const told = await Promise.all(
          list.map(async ({ prompt, policy, choice, maxTokens, delay, ending, endsAt }) => {
            for (let task = 0; task < delay; task++) await nextTask();
            const abort = new AbortController();
            if (ending === "abort") setTimeout(() => abort.abort(new Error("enough")), endsAt);
            const session = { ...choice, seed: 3, prompt, policy, maxTokens };
            const tokens = ending === "break" ? endsAt + 1 : Infinity;
            try {
              return {
                session: { ...session, tokens },
                written: await run(opened, { ...session, tokens, signal: abort.signal }),
              };
            } catch (error) {
              expect(error).toBe(abort.signal.reason);
              return undefined;
            }
          }),
        );
        expect(opened.steps.cacheBytes().live).toBe(0);
        for (const one of told) if (one) expect(one.written).toEqual(await run(opened, one.session));
      }),
      { numRuns: isFullExtent ? 60 : name === "wasm" ? 12 : 5 },
    );
    opened.steps.dispose();
  });

  test("read a long prompt in small chunks between the tokens of others", async () => {
    const opened = await open();
    const { watch } = opened;
    const running: Session = { prompt: randomTokens(3), maxTokens: 60 };
    const long: Session = { prompt: randomTokens(120, 5), maxTokens: 2 };
    let reading: Promise<number[]> | undefined;
    watch.before = () => {
      if (watch.rows.length === 4) reading = run(opened, long);
    };
    const written = await run(opened, running);
    const longWritten = await reading;
    const steps = [3, ...times(3, 1), ...times(30, 1 + MIXED_ROWS)];
    expect(watch.rows.slice(0, steps.length)).toEqual(steps);
    // a step for each of its tokens, as if it were alone
    expect(watch.rows).toHaveLength(60);
    watch.before = () => {};
    watch.rows.length = 0;
    expect(written).toEqual(await run(opened, running));
    expect(longWritten).toEqual(await run(opened, long));
    expect(watch.rows.slice(60, 68)).toEqual([...times(7, CHUNK_ROWS), 8]);
    opened.steps.dispose();
  });

  test("of other step keys take turns", async () => {
    const opened = await open({ ahead: { tokens: 16, milliseconds: Infinity } });
    const prompt = randomTokens(2);
    const window = policies.window({ budget: 9 });
    const order: string[] = [];
    const tell = (who: string) => ({ stopWhen: () => order.push(who) < 0, maxTokens: 10 });
    await Promise.all([
      run(opened, { prompt, ...tell("model") }),
      run(opened, { prompt, policy: window, ...tell("window") }),
    ]);
    expect(order.join()).toBe(Array.from({ length: 10 }, () => "model,window").join());
    opened.steps.dispose();
  });
});

describe("a request", () => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice("reference");
  });
  afterAll(() => device.dispose());

  const open = async (options: StepsOptions = {}) => {
    const { device: own, watch } = watched(device);
    const opened = await openSteps(own, {
      chunkRows: CHUNK_ROWS,
      ahead: { tokens: 4, milliseconds: Infinity },
      ...options,
    });
    watch.rows.length = 0;
    return { ...opened, watch };
  };
  const small: Session = { prompt: randomTokens(3), maxTokens: 9 };

  test("that finds no room fails, and those beside it do not", async () => {
    const opened = await open({ maxSlots: 100 });
    const session = { ...small, maxTokens: 30 };
    const alone = await run(opened, session);
    const big: Session = { prompt: randomTokens(150, 2), maxTokens: 9 };
    const [one, other, third] = await Promise.allSettled([
      run(opened, session),
      run(opened, big),
      run(opened, { ...session, policy: policies.full() }),
    ]);
    expect(one).toEqual({ status: "fulfilled", value: alone });
    expect(third).toEqual({ status: "fulfilled", value: alone });
    expect(String((other as PromiseRejectedResult).reason)).toMatch(
      /RangeError: the cache needs \d+ slots, but may have 100/,
    );
    expect(opened.steps.cacheBytes().live).toBe(0);
    opened.steps.dispose();
  });

  test("is served alone where the device refuses a step of several", async () => {
    const opened = await open();
    const sessions: Session[] = [
      small,
      { prompt: randomTokens(4, 8), maxTokens: 9, temperature: 0.8, topK: 4, seed: 1 },
      { prompt: randomTokens(9, 4), maxTokens: 9, policy: policies.full() },
    ];
    const alone = [];
    for (const session of sessions) alone.push(await run(opened, session));
    let refused = 0;
    opened.watch.before = (rows) => {
      if (rows !== 2 && rows !== 3) return;
      refused++;
      throw new DeviceError("out-of-memory", "too much at once");
    };
    expect(await Promise.all(sessions.map((session) => run(opened, session)))).toEqual(alone);
    expect(refused).toBe(2); // alone, greedy ones go four steps at a time
    expect(opened.steps.cacheBytes().live).toBe(0);
    opened.steps.dispose();
  });

  test("whose policy fails fails alone", async () => {
    const opened = await open();
    const alone = await run(opened, small);
    const failing: CachePolicy = {
      name: "failing",
      keep: ({ positions }) => {
        if (positions.length === 6) throw new Error("no idea what to keep");
        return null;
      },
    };
    const [one, other] = await Promise.allSettled([run(opened, small), run(opened, { ...small, policy: failing })]);
    expect(one).toEqual({ status: "fulfilled", value: alone });
    expect(String((other as PromiseRejectedResult).reason)).toBe("Error: no idea what to keep");
    expect(opened.steps.cacheBytes().live).toBe(0);
    opened.steps.dispose();
  });

  test("that is aborted while it waits leaves at once, and one in a step when that ends", async () => {
    const { steps, decoder, watch } = await open();
    let release: (() => void) | undefined;
    watch.before = () => new Promise((resolve) => (release = resolve));
    const [first, second, third] = [decoder.open(), decoder.open(), decoder.open()];
    const inStep = new AbortController();
    const waiting = new AbortController();
    const settled: string[] = [];
    const tell = (who: string, promise: Promise<unknown>) =>
      promise.then(
        () => settled.push(`${who} done`),
        (error: unknown) => settled.push(`${who}: ${String(error)}`),
      );
    const one = tell("first", decoder.greedy([{ sequence: first, tokens: [1, 2] }], inStep.signal));
    await vi.waitFor(() => expect(release).toBeDefined());
    const two = tell("second", decoder.greedy([{ sequence: second, tokens: [3] }], waiting.signal));
    const three = tell("third", decoder.greedy([{ sequence: third, tokens: [4] }]));
    await nextTask();
    waiting.abort(new Error("gone"));
    inStep.abort(new Error("stop"));
    await two;
    expect(settled).toEqual(["second: Error: gone"]);
    watch.before = () => {};
    release!();
    await Promise.all([one, three]);
    expect(settled).toEqual(["second: Error: gone", "first: Error: stop", "third done"]);
    expect(watch.rows).toEqual([2, 1]);
    expect([first.length, second.length, third.length]).toEqual([2, 0, 1]);
    for (const sequence of [first, second, third]) decoder.close(sequence);
    steps.dispose();
  });

  test("whose sequence is closed while it waits fails alone, and so does each when the model is disposed of", async () => {
    const { steps, decoder, watch } = await open();
    const [first, second, third] = [decoder.open(), decoder.open(), decoder.open()];
    let isClosed = false;
    watch.before = () => {
      if (!isClosed) decoder.close(second);
      isClosed = true;
    };
    const outcomes = Promise.allSettled([
      decoder.greedy([{ sequence: first, tokens: randomTokens(20) }]),
      decoder.logits([{ sequence: second, tokens: randomTokens(20) }]),
      decoder.logits([{ sequence: third, tokens: randomTokens(20) }]),
    ]);
    expect((await outcomes).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    watch.before = () => steps.dispose();
    const disposed = [first, third].map((sequence) => decoder.greedy([{ sequence, tokens: randomTokens(30) }]));
    for (const outcome of await Promise.allSettled(disposed)) {
      expect((outcome as PromiseRejectedResult).reason).toBeInstanceOf(DeviceError);
    }
    await expect(decoder.greedy([{ sequence: third, tokens: [1] }])).rejects.toThrow("this model was disposed of");
  });

  test("on the sequence of an earlier one comes after it", async () => {
    const { steps, decoder } = await open();
    const [sequence, whole] = [decoder.open(), decoder.open()];
    const tokens = randomTokens(40);
    const pieces = [tokens.slice(0, 20), tokens.slice(20, 21), tokens.slice(21)];
    const answers = await Promise.all(pieces.map((piece) => decoder.logits([{ sequence, tokens: piece }])));
    expect(answers[2]).toEqual(await decoder.logits([{ sequence: whole, tokens }]));
    for (const one of [sequence, whole]) decoder.close(one);
    steps.dispose();
  });

  test("that is alone waits for nobody", async () => {
    const opened = await open({ ahead: { tokens: 1 } });
    const tasks = vi.spyOn(globalThis, "setImmediate");
    await run(opened, { ...small, prompt: randomTokens(40) });
    expect(tasks).not.toHaveBeenCalled();
    await Promise.all([run(opened, small), run(opened, small)]);
    expect(tasks).toHaveBeenCalled();
    tasks.mockRestore();
    opened.steps.dispose();
  });
});

test("with `deterministic` a row's numbers are the same bits whoever is served beside it", async () => {
  const { openDevice } = await import("kedge/devices");
  const wasm = await openDevice("wasm", { deterministic: true, threads: 1 });
  const { device, watch } = watched(wasm);
  const { steps, decoder } = await openSteps(device, { chunkRows: CHUNK_ROWS });
  const prompt = randomTokens(30);
  const logitsWith = async (others: number) => {
    const sequences = Array.from({ length: others + 1 }, () => decoder.open());
    const ask = async (tokens: (i: number) => number[]) => {
      const asked = sequences.map((sequence, i) => decoder.logits([{ sequence, tokens: tokens(i) }]));
      return (await Promise.all(asked))[others]![0]!.slice();
    };
    const read = await ask((i) => (i === others ? prompt : randomTokens(7 + i, i)));
    const next = await ask((i) => [i === others ? 5 : i]);
    for (const sequence of sequences) decoder.close(sequence);
    return [read, next];
  };
  const alone = await logitsWith(0);
  for (const others of [1, 2, 5]) expect(await logitsWith(others)).toEqual(alone);
  expect(Math.max(...watch.rows)).toBe(CHUNK_ROWS);
  steps.dispose();
  await wasm.dispose();
});

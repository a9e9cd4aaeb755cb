// Tuning from the timing of calls to what models then use. Clocks are the test's: nothing here depends on how fast anything is.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { loadModel, type Device, type LoadProgress, type Model } from "../index.ts";
import { linear, type Implementation, type Kernel } from "../../kernels/index.ts";
import { testDevice } from "../../tests/support/devices.ts";
import { tinyFolder, TINY, randomTokens } from "../../tests/support/tiny-model.ts";
import type { ChoiceStore } from "./choice-store.ts";
import { recallKernelChoices, tuneAtLoad, tuneModel } from "./measured.ts";
import { bucketsFor, candidates, tuneKernels, type TunedModel } from "./tune-kernels.ts";
import { Steps } from "../model/steps.ts";

/** Runs of calls as short as can be. */
const secondsPerRun = 1e-9;

/** A store in memory. */
class MemoryStore implements ChoiceStore {
  readonly place = "memory";
  value: unknown;
  reads = 0;
  read() {
    this.reads++;
    return Promise.resolve(this.value);
  }
  write(value: unknown) {
    this.value = structuredClone(value);
    return Promise.resolve();
  }
  clear() {
    this.value = undefined;
    return Promise.resolve();
  }
}

/** Makes `timeRun` say that a call by an implementation called like this takes half the time of any other. */
function favor(device: Device, favorite: RegExp): Device {
  device.timeRun = (executable, { end = 0 }) => {
    const each = executable.chosen.flat().every((name) => favorite.test(name)) ? 1e-6 : 2e-6;
    return Promise.resolve(end * each);
  };
  return device;
}

/** What `loadModel` puts on the device, caught on its way. */
async function partsOf(device: Device): Promise<{ readonly model: Model; readonly parts: TunedModel }> {
  const create = vi.spyOn(Steps, "create");
  const model = await loadModel(tinyFolder(), { device, tune: "never" });
  const [, config, weights] = create.mock.calls.at(-1)!;
  create.mockRestore();
  return { model, parts: { device, config, weights, stepsOptions: {} } };
}

describe("rows", () => {
  it("that are timed speak for all counts between", () => {
    for (const chunk of [1, 2, 31, 32, 64, 192, 512]) {
      const buckets = bucketsFor(chunk);
      expect(buckets[0]).toMatchObject({ rows: 1, begin: 1 });
      for (const [i, { rows, begin, end }] of buckets.entries()) {
        expect(rows).toBeGreaterThanOrEqual(begin);
        expect(rows).toBeLessThan(end ?? Number.POSITIVE_INFINITY);
        expect(rows).toBeLessThanOrEqual(chunk);
        if (i > 0) expect(buckets[i - 1]!.end).toBe(begin);
      }
    }
    expect(bucketsFor(192).map(({ rows }) => rows)).toEqual([1, 2, 4, 32, 192]);
  });
});

const bound = (absolute: number) => () => ({ absolute, relative: 1e-5 });
const wasm = (name: string, rest: Partial<Implementation> = {}) =>
  ({ name, wasm: name, requires: [], ...rest }) as Implementation;

describe("candidates", () => {
  const implementations = [
    wasm("preset", { bound: bound(1e-2) }),
    wasm("exact"),
    wasm("alike", { bound: bound(1e-2) }),
    wasm("coarse", { bound: bound(1e-1) }),
    wasm("erratic", { isApproximate: true }),
    wasm("many", { rows: { min: 5 } }),
    { name: "gpu", wgsl: "", requires: [], workgroups: () => [1] },
  ];
  const call = { kernel: { ...linear, implementations }, label: "l", buffers: {}, params: { inputs: 32 } };
  const device = {
    name: "wasm" as const,
    implementationsOf: (kernel: Kernel) => kernel.implementations.filter((one) => "wasm" in one),
  };
  const namesOf = (rows: number, allowApproximate: boolean, preset = "preset") =>
    candidates(device, call, preset, rows, allowApproximate).map(({ name }) => name);

  it("are no less exact than the preset, unless that is allowed", () => {
    expect(namesOf(1, false)).toEqual(["preset", "exact", "alike"]);
    expect(namesOf(1, false, "exact")).toEqual(["exact"]);
    expect(namesOf(1, true)).toEqual(["preset", "exact", "alike", "coarse", "erratic"]);
    expect(namesOf(5, false)).toContain("many");
  });
});

describe.each(["wasm", "webgpu"] as const)("on %s", (name) => {
  let device: Device;
  let model: Model;
  let parts: TunedModel;
  const favorite = name === "wasm" ? /^linear\.plain\.|^attend\.plain$/ : /^linear\.f32$|^attend\.f32$/;
  beforeAll(async () => {
    device = favor(await testDevice(name), favorite);
    ({ model, parts } = await partsOf(device));
  });
  afterAll(async () => {
    await model.dispose();
    await device.dispose();
  });
  afterEach(() => device.tuning!.clear());

  it("times the calls of the model, and leaves nothing behind", { timeout: 120_000 }, async () => {
    const before = device.memory();
    const { choices, isComplete } = await tuneKernels(parts, { secondsPerRun });
    expect(isComplete).toBe(true);
    const linears = choices.filter(({ call }) => call.startsWith("linear "));
    expect(new Set(linears.map(({ rows }) => rows))).toContain(1);
    for (const { implementation, preset, call } of linears) {
      expect(implementation, call).toMatch(favorite);
      if (implementation !== preset) expect(preset).toContain("linear.");
    }
    // head and down-projection, apart by their shapes
    const head = linears.filter(({ call }) => call.includes(`outputs=${TINY.vocab_size} `));
    expect(head.length).toBeGreaterThan(0);
    // a prompt's step has one output: the head's choice for one row is timed once
    expect(new Set(head.map(({ begin }) => begin)).size).toBe(head.length);
    const places = choices.map(({ call, begin }) => `${call} ${begin}`);
    expect(new Set(places).size).toBe(places.length);
    expect(device.memory()).toEqual(before);
  });

  it("the quick form times one row and a prompt's, heavy calls only, and not what is known", async () => {
    const first = await tuneKernels(parts, { isQuick: true, secondsPerRun, now: () => 0 });
    expect(first.choices.length).toBeGreaterThan(0);
    expect(first.choices.every(({ call }) => / \w+:f32/.test(call))).toBe(true);
    expect(first.choices.filter(({ end, begin }) => begin !== 1 && end !== null)).toEqual([]);
    const again = await tuneKernels(parts, { isQuick: true, known: first.choices, secondsPerRun, now: () => 0 });
    expect(again).toMatchObject({ choices: [], isComplete: true });
  });

  it("the quick form ends when its time is up", async () => {
    let calls = 0;
    const { choices, isComplete } = await tuneKernels(parts, { isQuick: true, now: () => calls++ * 400 });
    expect(isComplete).toBe(false);
    expect(choices).toEqual([]);
  });

  it("an abort ends it, and leaves nothing behind", async () => {
    const before = device.memory();
    const abort = new AbortController();
    const onProgress = () => abort.abort(new Error("enough"));
    await expect(tuneKernels(parts, { signal: abort.signal, onProgress })).rejects.toThrow("enough");
    expect(device.memory()).toEqual(before);
  });

  describe("what is chosen", () => {
    let store: MemoryStore;
    beforeEach(() => (store = new MemoryStore()));
    const quick = { isQuick: true, secondsPerRun, now: () => 0 };

    it("is kept, followed, recalled under the same key, and by nobody who did not allow it", async () => {
      const { choices } = await tuneModel(parts, quick, store);
      expect(device.tuning!.size).toBe(choices.length);
      device.tuning!.clear();
      expect(await recallKernelChoices(device, {}, store)).toEqual(choices);
      expect(device.tuning!.size).toBe(choices.length);
      device.tuning!.clear();
      expect(await recallKernelChoices(device, { allowApproximate: true }, store)).toEqual([]);
      expect(device.tuning!.size).toBe(0);
    });

    it("reaches the programs of models that are loaded, whose numbers stay the same to rounding", async () => {
      await tuneModel(parts, quick, store);
      const prepare = vi.spyOn(device, "prepare");
      const tuned = await loadModel(tinyFolder(), { device, tune: "never" });
      const executable = await prepare.mock.results.at(-1)!.value;
      expect(executable.chosen.flat().some((one: string) => favorite.test(one))).toBe(true);
      prepare.mockRestore();
      const tokens = randomTokens(20);
      const [plain, other] = [await model.score(tokens), await tuned.score(tokens)];
      expect(other.perplexity / plain.perplexity).toBeCloseTo(1, 4);
      await tuned.dispose();
    });

    it("is timed at load when asked to, else only recalled; errors do not fail it", async () => {
      await tuneAtLoad(parts, undefined, {}, store);
      await tuneAtLoad(parts, "kept", {}, store);
      expect([store.reads, store.value]).toEqual([2, undefined]);
      await tuneAtLoad(parts, "never", {}, store);
      expect(store.reads).toBe(2);
      await tuneAtLoad(parts, "quick", { secondsPerRun, now: () => 0 }, store);
      expect(store.value).toBeDefined();
      const size = device.tuning!.size;
      device.tuning!.clear();
      await tuneAtLoad(parts, "kept", {}, store);
      expect(device.tuning!.size).toBe(size);

      const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
      const full = Object.assign(new MemoryStore(), { write: () => Promise.reject(new Error("the disk is full")) });
      await tuneAtLoad(parts, "quick", { secondsPerRun, now: () => 0 }, full);
      expect(warned.mock.calls).toEqual([[expect.stringContaining("the disk is full")]]);
      warned.mockRestore();
    });
  });
});

it("a device that keeps the order of sums is never timed, and says so when asked", async () => {
  const device = await testDevice("wasm", { deterministic: true });
  const stages: string[] = [];
  const onProgress = ({ phase }: LoadProgress) => void stages.push(phase);
  const model = await loadModel(tinyFolder(), { device, tune: "quick", onProgress });
  expect(stages).not.toContain("tuning");
  await expect(model.tuneKernels()).rejects.toThrow("nothing is chosen by measuring on wasm");
  await model.dispose();
  await device.dispose();
});

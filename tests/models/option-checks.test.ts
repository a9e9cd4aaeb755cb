// Every public function that takes an options object: a name that it does not have is refused, and every number that it takes is
// checked where it comes in. One row a function; on the reference device, for what is checked does not depend on the device.

import { byNeglect, loadModel, policies, quantizeModel, type LoadOptions, type Model } from "kedge";
import {
  attentionDilution,
  attentionRollout,
  attributeLogit,
  logitLens,
  massByClass,
  scoreHeads,
  sparsityOf,
  studyAttention,
} from "kedge/attention";
import { chooseDevice, openDevice, probeWebGpu, type Device } from "kedge/devices";
import { softmax } from "kedge/kernels";
import {
  bufferSource,
  findFolder,
  httpFolder,
  httpSource,
  hubFolder,
  openSafetensors,
  StreamDecoder,
  writeSafetensors,
  writeWholeFile,
  type SafetensorsFile,
  type Tokenizer,
} from "kedge/loaders";
import { measurePeak, recallKernelChoices, timeKernel } from "kedge/timing";
import { tuneStrength } from "kedge/anchoring";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomTokens, tinyFolder } from "../support/tiny-model.ts";

const PROMPT = randomTokens(5);
let model: Model;
let spoken: { readonly tokenizer: Tokenizer; dispose(): Promise<void> };
let device: Device;
let file: SafetensorsFile;
beforeAll(async () => {
  model = await loadModel(tinyFolder(), { device: "reference" });
  const shipped = await loadModel("models/kedge-js-5m", { device: "reference" });
  spoken = { tokenizer: shipped.tokenizer!, dispose: () => shipped.dispose() };
  device = await openDevice("reference");
  const tensors = [{ name: "x", dtype: "F32" as const, shape: [4], values: new Float32Array(4) }];
  file = await openSafetensors(bufferSource(writeSafetensors(tensors), "x"));
});
afterAll(() => Promise.all([model.dispose(), spoken.dispose(), device.dispose()]));

/** Kinds of numbers, by what is wrong for all of that kind. */
const WRONG = {
  /** whole numbers of 1 or more */
  count: [NaN, -1, 0, 1.5, Infinity],
  /** the same, or Infinity */
  limit: [NaN, -1, 0, 1.5],
  /** whole numbers of 0 or more */
  index: [NaN, -1, 1.5],
  /** numbers above 0 */
  positive: [NaN, -1, 0, Infinity],
  /** numbers of 0 or more */
  amount: [NaN, -1, Infinity],
  /** any finite number */
  finite: [NaN, Infinity, -Infinity],
  /** a share */
  share: [NaN, -0.5, 1.5],
} as const;

interface Row {
  /** calls it with its other options right; `more` is added to them */
  readonly call: (more: never) => unknown;
  readonly numbers?: Readonly<Record<string, keyof typeof WRONG>>;
}

const pattern = { shape: [1, 2, 2], data: [1, 0, 0.5, 0.5] };
const drained = async (pieces: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of pieces) break;
};
const score = (_: number, tasks: readonly number[]): Promise<number> => Promise.resolve(tasks.length);
const sampling = {
  temperature: "amount",
  topK: "index",
  topP: "share",
  minP: "share",
  repetitionPenalty: "positive",
  frequencyPenalty: "finite",
  presencePenalty: "finite",
  seed: "index",
  logProbs: "index",
} as const;
const anchored = { prompt: PROMPT, anchors: [{ tokens: { begin: 1, end: 2 } }] };
const standIn = { kind: "token", token: 3 } as const;

const rows: Readonly<Record<string, Row>> = {
  // kedge
  loadModel: {
    call: (more: object) => loadModel(tinyFolder(), { device: "reference", ...more }),
    numbers: { contextLength: "count", maxCachedTokens: "count", chunkRows: "count", threads: "count" },
  },
  "loadModel, wasm": {
    call: (wasm: LoadOptions["wasm"]) => loadModel(tinyFolder(), { device: "reference", wasm }),
    numbers: { threads: "count", maxMemoryBytes: "count", linearMemoryBytes: "count" },
  },
  quantizeModel: { call: (more: object) => quantizeModel(tinyFolder(), "none", { format: "int8", ...more }) },
  generate: {
    call: (more: object) => drained(model.generate(PROMPT, { maxTokens: 2, ...more })),
    numbers: { ...sampling, samples: "count", maxTokens: "limit" },
  },
  complete: { call: (more: object) => model.complete(PROMPT, { maxTokens: 2, ...more }), numbers: sampling },
  generateBatch: {
    call: (more: object) => drained(model.generateBatch([PROMPT], { maxTokens: 2, ...more })),
    numbers: { ...sampling, rows: "count" },
  },
  generateUntilPassed: {
    call: (more: object) =>
      model.generateUntilPassed(anchored, () => true, { maxTokens: 2, anchoring: { standIn }, ...more }),
    numbers: sampling,
  },
  anchoring: {
    call: (more: object) => drained(model.generate(anchored, { maxTokens: 2, anchoring: { standIn, ...more } })),
    numbers: { strength: "finite", maskToken: "index", recentQueries: "count" },
  },
  "an anchor": {
    call: (more: object) =>
      drained(
        model.generate(
          { prompt: PROMPT, anchors: [{ tokens: { begin: 1, end: 2 }, ...more }] },
          { maxTokens: 2, anchoring: { standIn } },
        ),
      ),
    numbers: { strength: "finite" },
  },
  guidance: {
    call: (more: object) =>
      drained(model.generate(PROMPT, { maxTokens: 2, contrast: { method: "guidance", scale: 2, ...more } })),
    numbers: { scale: "finite" },
  },
  "negative prompt": {
    call: (more: object) =>
      drained(
        model.generate(PROMPT, {
          maxTokens: 2,
          contrast: { method: "negative-prompt", scale: 2, prompt: [1, 2], ...more },
        }),
      ),
    numbers: { scale: "finite" },
  },
  context: {
    call: (more: object) =>
      drained(
        model.generate(PROMPT, {
          maxTokens: 2,
          contrast: { method: "context", alpha: 1, context: [{ tokens: { begin: 0, end: 1 } }], ...more },
        }),
      ),
    numbers: { alpha: "finite" },
  },
  compareWithExact: {
    call: (more: object) => model.compareWithExact(anchored, [2], { standIn, ...more }),
    numbers: { maskToken: "index", recentQueries: "count" },
  },
  score: { call: (more: object) => model.score(PROMPT, more), numbers: { promptLength: "count" } },
  forward: {
    call: (more: object) => model.forward(PROMPT, more),
    numbers: { promptLength: "count", startAtLayer: "index", stopAtLayer: "index" },
  },
  forwardBatch: {
    call: (more: object) => model.forwardBatch([PROMPT], more),
    numbers: { promptLength: "count", startAtLayer: "index", stopAtLayer: "index" },
  },
  unembed: {
    call: (more: object) => model.unembed({ shape: [1, 48], data: new Float32Array(48) }, more),
  },
  tuneStrength: {
    call: (more: object) => tuneStrength({ tasks: 4, score, ...more }),
    numbers: {
      tasks: "count",
      share: "share",
      seed: "finite",
      low: "finite",
      high: "finite",
      step: "positive",
      resolution: "positive",
    },
  },
  byNeglect: {
    call: (more: object) => byNeglect({ strength: 2, ...more }),
    numbers: { strength: "finite", floor: "finite", enough: "positive" },
  },
  window: { call: (more: object) => policies.window({ budget: 4, ...more }), numbers: { budget: "count" } },
  sinks: {
    call: (more: object) => policies.sinks({ budget: 8, ...more }),
    numbers: { budget: "count", first: "index" },
  },
  heavyHitters: { call: (more: object) => policies.heavyHitters({ budget: 4, ...more }), numbers: { budget: "count" } },
  lastQuery: { call: (more: object) => policies.lastQuery({ budget: 4, ...more }), numbers: { budget: "count" } },
  keyNorm: {
    call: (more: object) => policies.keyNorm({ budget: 4, ...more }),
    numbers: { budget: "count", wholeLayers: "index" },
  },
  snapKv: {
    call: (more: object) => policies.snapKv({ budget: 64, ...more }),
    numbers: { budget: "count", window: "count", pool: "count" },
  },
  pyramidKv: {
    call: (more: object) => policies.pyramidKv({ budget: 64, ...more }),
    numbers: { budget: "count", window: "count", pool: "count", beta: "positive" },
  },
  anchors: { call: (more: object) => policies.anchors(more), numbers: { sinks: "index", keepRecent: "index" } },
  // kedge/devices
  openDevice: { call: (more: object) => openDevice("reference", more), numbers: { threads: "count" } },
  "openDevice, wasm": {
    call: (wasm: object) => openDevice("reference", { wasm }),
    numbers: { threads: "count", maxMemoryBytes: "count", linearMemoryBytes: "count" },
  },
  "openDevice, webgpu": {
    call: (webgpu: object) => openDevice("reference", { webgpu }),
    numbers: { maxBindingBytes: "count" },
  },
  "openDevice, webgl": {
    call: (webgl: object) => openDevice("reference", { webgl }),
    numbers: { maxTextureSize: "count" },
  },
  chooseDevice: { call: (more: object) => chooseDevice(more), numbers: { threads: "count" } },
  prepare: {
    call: (more: object) => device.prepare({ tensors: [], calls: [], variables: [] } as never, more),
  },
  createTensor: { call: (more: object) => device.createTensor("x", "f32", 4, "activations", more) },
  probeWebGpu: { call: (more: object) => probeWebGpu(more) },
  // kedge/timing
  timeKernel: {
    call: (more: object) =>
      timeKernel(device, softmax, { params: { rows: 1, length: 4 } } as never, {
        rounds: 1,
        secondsPerRun: 1e-4,
        ...more,
      }),
    numbers: { rounds: "count", seed: "index", streamBytes: "index", secondsPerRun: "positive" },
  },
  measurePeak: {
    call: (more: object) => measurePeak(device, { multiplyAdds: 32, bytes: 1024, rounds: 1, ...more }),
    numbers: { multiplyAdds: "count", bytes: "count", rounds: "count", secondsPerRun: "positive" },
  },
  recallKernelChoices: { call: (more: object) => recallKernelChoices(device, more) },
  // kedge/attention
  studyAttention: {
    call: (more: object) => studyAttention(model, PROMPT, more),
    numbers: { promptLength: "count", minKeys: "index" },
  },
  logitLens: { call: (more: object) => logitLens(model, PROMPT, more), numbers: { top: "count" } },
  attributeLogit: {
    call: (more: object) => attributeLogit(model, PROMPT, more),
    numbers: { token: "index", against: "index" },
  },
  scoreHeads: {
    call: (more: object) => scoreHeads(model, { period: 4, ...more }),
    numbers: { seed: "index", period: "count" },
  },
  attentionRollout: { call: (more: object) => attentionRollout(model, PROMPT, more) },
  attentionDilution: {
    call: (more: object) => attentionDilution([pattern], 1, more),
    numbers: { minKeys: "index" },
  },
  sparsityOf: { call: (more: object) => sparsityOf(pattern, more), numbers: { minKeys: "index" } },
  massByClass: {
    call: (more: object) => massByClass(pattern, ["number", "number"], more),
    numbers: { minKeys: "index" },
  },
  // kedge/loaders
  findFolder: { call: (more: object) => findFolder("models/kedge-js-5m", more) },
  httpFolder: { call: (more: object) => httpFolder("http://127.0.0.1:9/", more) },
  httpSource: {
    call: (more: object) =>
      httpSource("http://127.0.0.1:9/", { fetch: () => Promise.reject(new RangeError("asked")), ...more }),
    numbers: { maxByteLength: "index", maxWholeByteLength: "index" },
  },
  hubFolder: {
    call: (more: object) => hubFolder("a/b", { fetch: () => Promise.reject(new RangeError("asked")), ...more }),
  },
  readBytes: { call: (more: object) => file.readBytes("x", more), numbers: { begin: "index", end: "index" } },
  encode: { call: (more: object) => spoken.tokenizer.encode("x", more) },
  encodeWithOffsets: { call: (more: object) => spoken.tokenizer.encodeWithOffsets("x", more) },
  encodeInTurns: { call: (more: object) => spoken.tokenizer.encodeInTurns("x", more) },
  decode: { call: (more: object) => spoken.tokenizer.decode([5], more) },
  StreamDecoder: { call: (more: object) => new StreamDecoder(spoken.tokenizer, more) },
  writeWholeFile: { call: (more: object) => writeWholeFile("/", "x", more) },
};

/** What a call throws, at once or later. */
async function refusal(row: Row, more: object): Promise<Error | undefined> {
  try {
    await row.call(more as never);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

describe.each(Object.entries(rows))("%s", (_, row) => {
  test("refuses a name that it does not have", async () => {
    const error = await refusal(row, { unknownName: 1 });
    expect(error).toBeInstanceOf(RangeError);
    expect(error?.message).toMatch(/^[^\n]*there is no option "unknownName": (it takes|did you mean)/);
  });

  test.each(Object.entries(row.numbers ?? {}))("refuses %s where it is no %s", async (name, kind) => {
    for (const value of [...WRONG[kind], "2"]) {
      if (value === "2" && name === "strength") continue; // its message shows it as text
      const error = await refusal(row, { [name]: value });
      expect(error, `${name}: ${String(value)}`).toBeInstanceOf(RangeError);
      expect(error?.message).toContain(name === "budget" || name === "begin" || name === "end" ? "" : name);
    }
  });
});

test("a name that is nearly right is shown", async () => {
  expect((await refusal(rows["measurePeak"]!, { multiplyAdd: 1 }))?.message).toBe(
    'measurePeak: there is no option "multiplyAdd": did you mean "multiplyAdds"?',
  );
  expect((await refusal(rows["openDevice, wasm"]!, { thread: 1 }))?.message).toContain('did you mean "threads"?');
});

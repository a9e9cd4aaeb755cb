// A model whose weights find no room in one memory of `wasm` runs in several, to the same bits. The memories here are so small
// that layers are torn apart: most calls lie in another memory than the one before.

import {
  collect,
  loadModel,
  policies,
  type Device,
  type LoadOptions,
  type Model,
  type ModelGenerateOptions,
} from "kedge";
import { openDevice } from "kedge/devices";
import { afterAll, describe, expect, test } from "vitest";

const PLAIN = "models/kedge-js-5m";
const ANCHORED = "models/kedge-js-5m-anchor";
const MEBIBYTE = 2 ** 20;
const TEXT = "/**\n * Keep only the even numbers of a list.\n */\nfunction keepEven(numbers) {\n  const even = [];\n";
/** How threads and memories are had. */
const WAYS = [
  ["one thread", { threads: 1 }],
  ["two threads", { threads: 2 }],
  ["three threads", { threads: 3 }],
  ["memories of the lead's own", { threads: 2, shareMemory: false }],
] as const satisfies readonly (readonly [string, LoadOptions["wasm"]])[];

const opened: Device[] = [];
afterAll(() => Promise.all(opened.map((device) => device.dispose())));

async function open(wasm: LoadOptions["wasm"]): Promise<Device> {
  const device = await openDevice("wasm", { wasm: { threads: 2, ...wasm } });
  opened.push(device);
  return device;
}

/** The most bytes of activations that a device has during runs, replicas among them. */
function watchActivations(device: Device): () => number {
  let most = 0;
  const run = device.run.bind(device);
  device.run = (...parts) => {
    const done = run(...parts);
    most = Math.max(most, device.memory().activations);
    return done;
  };
  return () => most;
}

/** What comes of a task on a model in one memory, and on the same model in several; the latter must be in use. */
async function both<T>(
  folder: string,
  task: (model: Model) => Promise<T>,
  { wasm, ...options }: LoadOptions = {},
  linearMemoryBytes = 4 * MEBIBYTE,
): Promise<{ one: T; several: T }> {
  const [one, several] = await Promise.all(
    [wasm, { ...wasm, linearMemoryBytes }].map(async (settings) => {
      const device = await open(settings);
      const activations = watchActivations(device);
      const model = await loadModel(folder, { chunkRows: 48, ...options, device });
      const { weights } = device.memory();
      const result = await task(model);
      await model.dispose();
      expect(device.memory()).toEqual({ weights: 0, cache: 0, activations: 0 });
      await device.dispose();
      return { result, weights, activations: activations() };
    }),
  );
  expect(several!.weights).toBe(one!.weights);
  // replicas for two memories more at least
  expect(several!.activations).toBeGreaterThan(one!.activations * 2);
  return { one: one!.result, several: several!.result };
}

const generated = (model: Model, options: ModelGenerateOptions = {}, prompts: readonly string[] = [TEXT]) =>
  collect(model.generateBatch(prompts, { maxTokens: 40, ignoreEndTokens: true, ...options }));

/** All logits of a prompt, then tokens decoded greedily. */
async function prefillAndDecode(model: Model) {
  const { logits } = await model.forward(TEXT, { logits: "all" });
  expect(logits!.data.some((value) => value !== 0)).toBe(true);
  return { logits: logits!.data, rows: await generated(model) };
}

/** What hooks see of a prompt, and its logits with and without what they change. */
async function look(model: Model) {
  const capture = ["hook_embed", "blocks.*.attn.hook_pattern", "blocks.*.hook_mlp_out"];
  const hooks = { "blocks.3.hook_resid_post": ({ data }: { data: Float32Array }) => void data.fill(0.5, 0, 256) };
  const prompt = TEXT.slice(0, 80);
  const plain = await model.forward(prompt);
  const { logits, captured } = await model.forward(prompt, { capture, hooks });
  return { plain: plain.logits!.data, logits: logits!.data, captured };
}

describe.each(WAYS)("a model in several memories, with %s,", (_name, wasm) => {
  test.each([PLAIN, ANCHORED])("gives the logits and tokens that it gives in one: %s", async (folder) => {
    const { one, several } = await both(folder, prefillAndDecode, { wasm });
    expect(several).toEqual(one);
  });

  test("shows hooks the same, and takes what they change", async () => {
    const { one, several } = await both(PLAIN, look, { wasm }, 6 * MEBIBYTE);
    expect(Object.keys(one.captured)).toHaveLength(13);
    expect(one.logits).not.toEqual(one.plain);
    expect(several).toEqual(one);
  });
});

describe("a model in several memories", () => {
  test.each([
    ["cacheType f16", { cacheType: "f16" }, 4],
    ["cacheType int8", { cacheType: "int8" }, 4],
    ["quantize int8", { quantize: "int8" }, 4],
    ["quantize int4", { quantize: "int4" }, 3.75],
    ["the largest logits, sampled", {}, 4],
  ] as const)("gives what it gives in one: %s", async (name, options, mebibytes) => {
    const sampling = name.includes("sampled") ? { temperature: 1, topK: 20, seed: 3 } : {};
    const task = async (model: Model) => ({
      ...(await prefillAndDecode(model)),
      more: await generated(model, sampling),
    });
    for (const folder of [PLAIN, ANCHORED]) {
      const { one, several } = await both(folder, task, options, mebibytes * MEBIBYTE);
      expect(several).toEqual(one);
    }
  });

  test.each([
    policies.window({ budget: 16 }),
    policies.heavyHitters({ budget: 24 }),
    policies.pyramidKv({ budget: 24, window: 6 }),
    policies.keyNorm({ budget: 24 }),
    policies.anchors(),
  ])("keeps the keys that it keeps in one: $name", async (cache) => {
    const { one, several } = await both(PLAIN, (model) => generated(model, { cache, maxTokens: 60 }));
    expect(several).toEqual(one);
  });

  test("gives a batch, with caches that grow and are compacted, and a prompt's anchors", async () => {
    const prompts = [TEXT, "const a = 1;\n", `${TEXT}  for (const number of numbers) {\n`.repeat(3)];
    const anchoring = { strength: 1.4, anchors: [{ text: "even" }] };
    const task = async (model: Model) => {
      const rows = await generated(model, { maxTokens: 120 }, prompts);
      const { allocated } = model.memory().cache;
      const anchored = await generated(model, { anchoring });
      const { perplexity } = await model.score(prompts[2]!);
      return { rows, allocated, anchored, perplexity };
    };
    for (const folder of [PLAIN, ANCHORED]) {
      const { one, several } = await both(folder, task);
      expect(several).toEqual(one);
    }
  });

  test("shares a device with another model, and is lost to none of its own", async () => {
    const device = await open({ linearMemoryBytes: 5 * MEBIBYTE });
    const alone = await loadModel(PLAIN, { device: await open({}) });
    const want = await generated(alone);
    const models = await Promise.all(
      [PLAIN, ANCHORED, PLAIN].map((folder) => loadModel(folder, { device, chunkRows: 32 })),
    );
    const got = await Promise.all(models.map((model) => generated(model)));
    expect(got[0]).toEqual(want);
    expect(got[2]).toEqual(want);
    await models[1]!.dispose();
    expect(await generated(models[2]!)).toEqual(want);
    for (const model of [alone, models[0]!, models[2]!]) await model.dispose();
    expect(device.memory()).toEqual({ weights: 0, cache: 0, activations: 0 });
  });

  test.each([{}, { shareMemory: false }])("leaves nothing behind where loading is aborted %o", async (way) => {
    const device = await open({ ...way, linearMemoryBytes: 4 * MEBIBYTE });
    const abort = new AbortController();
    const onProgress = ({ phase, done, of }: { phase: string; done: number; of: number }) => {
      if (phase === "weights" && done > of * 0.7) abort.abort(new Error("enough"));
    };
    await expect(loadModel(PLAIN, { device, signal: abort.signal, onProgress })).rejects.toThrow("enough");
    expect(device.memory()).toEqual({ weights: 0, cache: 0, activations: 0 });
    const model = await loadModel(PLAIN, { device, chunkRows: 48 });
    expect((await generated(model))[0]!.text.length).toBeGreaterThan(20);
    await model.dispose();
  });

  test.each([{}, { shareMemory: false }])("says with both numbers where all together are too few %o", async (way) => {
    const device = await open({ ...way, linearMemoryBytes: 4 * MEBIBYTE, maxMemoryBytes: 8 * MEBIBYTE });
    const error = await loadModel(PLAIN, { device }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: "DeviceError", kind: "out-of-memory" });
    expect((error as Error).message).toMatch(
      /^wasm: ".+"(, with room to pack it,)? needs \d+ bytes together; \d+ are free in one of 2 memories$/,
    );
    expect(device.memory()).toEqual({ weights: 0, cache: 0, activations: 0 });
  });
});
